"""A clustered picture dataset as one page that opens offline, or as a folder for each cluster.

python -m narrows gallery denoising-conv-self-label
python -m narrows gallery --folders links --to ~/sorted --names saved.json
"""

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from narrows import album, folders, gallery_page, params, residuals, samples, work
from narrows.errors import UserError
from narrows.params import Params
from narrows.samples import Samples


def main(words: Sequence[str]) -> None:
    asked = arguments(words)
    p = params.load()
    rows = {**p.clusterings, **p.deep_clusterings}
    key = asked.row or list(rows)[-1]
    params.select(rows, key, "clusterings or deep_clusterings")
    data = Path("data", p.dataset.name)
    x = np.load(work.existing(data / "x.npy", "prepare"), mmap_mode="r", allow_pickle=False)
    if x.ndim != 4:
        raise UserError(f"{data / 'x.npy'} holds no pictures but rows of {x.shape[1]} values")
    stage = f"{'deep_cluster' if key in p.deep_clusterings else 'cluster'}@{key}"
    file = Path("artifacts", p.dataset.name, "clusterings", key, "clusters.npz")
    with np.load(work.existing(file, stage), allow_pickle=False) as arrays:
        clusters = arrays["clusters"]
    _same_rows(file, clusters, x)
    named = samples.read(data / "samples.csv", len(x))
    source = _source(p, asked.pictures)
    if asked.folders:
        sort(asked, clusters, named, source, x)
    else:
        page(p, key, stage, clusters, named, source, x)


def page(
    p: Params,
    key: str,
    stage: str,
    clusters: np.ndarray,
    named: Samples | None,
    source: Path | None,
    x: np.ndarray,
) -> None:
    made = Path("artifacts", p.dataset.name)
    refined = key in p.deep_clusterings
    encoder = p.deep_clusterings[key].encoder if refined else p.clusterings[key].encoder
    file = (made / "clusterings" / key if refined else made / "encoders" / encoder) / "codes.npy"
    codes = np.load(work.existing(file, stage), mmap_mode="r", allow_pickle=False)
    _same_rows(file, codes, x)
    arranged = album.arranged(x, codes, clusters, residuals.errors(made, encoder, x))
    identity = hashlib.sha256(repr((p.dataset.name, key)).encode() + clusters.tobytes())
    titles = gallery_page.Titles(p.dataset.name, key, encoder, identity.hexdigest()[:16])
    target = made / "galleries" / key
    with work.output(target) as folder:
        url = gallery_page.url(source, target) if source else None
        gallery_page.write(folder, titles, x, arranged, named, url)
    print(f"gallery: {target / 'index.html'} shows {len(x):,} pictures", flush=True)


def sort(
    asked: argparse.Namespace,
    clusters: np.ndarray,
    named: Samples | None,
    source: Path | None,
    x: np.ndarray,
) -> None:
    folders.check(asked.to, source)
    found = [int(cluster) for cluster in np.unique(clusters)]
    called = folders.names(asked.names) if asked.names else {}
    names = {cluster: called.get(cluster, "") for cluster in found}
    rows = {cluster: np.flatnonzero(clusters == cluster).tolist() for cluster in found}
    n_missing = 0
    if named is None:
        if asked.folders == "links":
            raise UserError("these pictures come from no files to link to; say --folders copies")
        folders.write_thumbnails(asked.to, names, rows, x)
    elif source is None:
        raise UserError("where the pictures are is not known; say it with --pictures FOLDER")
    else:
        members = {
            cluster: [(Path(named.paths[row]).name, source / named.paths[row]) for row in of]
            for cluster, of in rows.items()
        }
        n_missing = folders.write(asked.to, asked.folders, names, members)
    print(f"gallery: {asked.to} has {len(found)} folders of {asked.folders}", flush=True)
    if n_missing:
        print(f"gallery: {n_missing} pictures are no longer in {source}", flush=True)


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m narrows gallery", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("row", nargs="?", help="of clusterings or deep_clusterings; the last one")
    parser.add_argument("--pictures", type=Path, help="folder of the originals")
    parser.add_argument("--folders", choices=["links", "copies"], help="instead of the page")
    parser.add_argument("--to", type=Path, help="where the folders go: a new or empty folder")
    parser.add_argument("--names", type=Path, help="JSON saved by the page, names the folders")
    asked = parser.parse_args(words)
    if (asked.folders is None) != (asked.to is None):
        parser.error("--folders and --to go together")
    if asked.names and not asked.folders:
        parser.error("--names goes with --folders")
    return asked


def _source(p: Params, given: Path | None) -> Path | None:
    """Folder of the originals: as given, else as the dataset's row says it, if it does."""
    folder = given or getattr(p.dataset.config, "path", None)
    if folder is None:
        return None
    found = Path(folder).expanduser()
    if not found.is_dir():
        raise UserError(f"{found} is no folder; say with --pictures where the originals are")
    return found


def _same_rows(file: Path, found: np.ndarray, x: np.ndarray) -> None:
    if len(found) != len(x):
        raise UserError(f"{file} has {len(found)} rows and x.npy has {len(x)}; run `dvc repro`")
