"""A clustered picture dataset as one page that opens offline, or as a folder for each cluster.

python -m narrows gallery denoising-conv-self-label
python -m narrows gallery --folders links --to ~/sorted --names saved.json
"""

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from narrows import album, folders, gallery_page, residuals, work
from narrows.commands import _base
from narrows.commands._base import Chosen
from narrows.errors import UserError


def main(words: Sequence[str]) -> None:
    asked = arguments(words)
    chosen = _base.chosen(asked.row)
    if chosen.x.ndim != 4:
        file = chosen.data / "x.npy"
        raise UserError(f"{file} holds no pictures but rows of {chosen.x.shape[1]} values")
    source = _source(chosen, asked.pictures)
    if asked.folders:
        sort(asked, chosen, source)
    else:
        page(chosen, source)


def page(chosen: Chosen, source: Path | None) -> None:
    errors = residuals.errors(chosen.artifacts, chosen.encoder, chosen.x)
    arranged = album.arranged(chosen.x, chosen.codes(), chosen.clusters, errors)
    told = repr((chosen.dataset, chosen.key)).encode() + chosen.clusters.tobytes()
    identity = hashlib.sha256(told).hexdigest()[:16]
    titles = gallery_page.Titles(chosen.dataset, chosen.key, chosen.encoder, identity)
    target = chosen.artifacts / "galleries" / chosen.key
    with work.output(target) as folder:
        url = gallery_page.url(source, target) if source else None
        gallery_page.write(folder, titles, chosen.x, arranged, chosen.named, url)
    print(f"gallery: {target / 'index.html'} shows {len(chosen.x):,} pictures", flush=True)


def sort(asked: argparse.Namespace, chosen: Chosen, source: Path | None) -> None:
    folders.check(asked.to, source)
    called = folders.names(asked.names) if asked.names else {}
    names = {cluster: called.get(cluster, "") for cluster in chosen.sizes}
    rows = {c: np.flatnonzero(chosen.clusters == c).tolist() for c in chosen.sizes}
    n_missing = 0
    if chosen.named is None:
        if asked.folders == "links":
            raise UserError("these pictures come from no files to link to; say --folders copies")
        folders.write_thumbnails(asked.to, names, rows, chosen.x)
    elif source is None:
        raise UserError("where the pictures are is not known; say it with --pictures FOLDER")
    else:
        paths = [source / path for path in chosen.named.paths]
        members = {
            cluster: [(paths[row].name, paths[row]) for row in own] for cluster, own in rows.items()
        }
        n_missing = folders.write(asked.to, asked.folders, names, members)
    print(f"gallery: {asked.to} has {len(rows)} folders of {asked.folders}", flush=True)
    if n_missing:
        print(f"gallery: {n_missing} pictures are no longer in {source}", flush=True)


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = _base.parser("gallery", __doc__)
    parser.add_argument("--pictures", type=Path, help="folder of the originals")
    parser.add_argument("--folders", choices=["links", "copies"], help="instead of the page")
    parser.add_argument("--to", type=Path, help="where the folders go: a new or empty folder")
    parser.add_argument("--names", type=Path, help="JSON saved by the page, names the folders")
    asked = parser.parse_args(words)
    if (asked.folders is None) != (asked.to is None):
        parser.error("--folders and --to go together")
    if asked.names and not asked.folders:
        parser.error("--names goes with --folders")
    if asked.to:
        asked.to = asked.to.expanduser()
    return asked


def _source(chosen: Chosen, given: Path | None) -> Path | None:
    """Folder of the originals: as given, else as the dataset's row says it, if it does."""
    folder = given or getattr(chosen.params.dataset.config, "path", None)
    if folder is None:
        return None
    found = Path(folder).expanduser()
    if not found.is_dir():
        raise UserError(f"{found} is no folder; say with --pictures where the originals are")
    return found
