"""A clustered picture dataset as one page that opens offline, or as a folder for each cluster.

python -m narrows gallery affine-conv-self-label
python -m narrows gallery --folders links --to ~/sorted --names saved.json
python -m narrows gallery --data ~/Photos

With --data the folder becomes a project of its own in .work/projects/, with the rows of
examples/image_folder.yaml, and is clustered first; params.yaml and artifacts here are not touched.
"""

import argparse
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from narrows.commands import _base
from narrows.commands._base import Chosen
from narrows.config import plugins
from narrows.data import blocks
from narrows.data.datasets._base import NothingLeft
from narrows.data.names import SampleNames
from narrows.errors import UserError
from narrows.explore import residuals
from narrows.explore.gallery import album, folders
from narrows.explore.gallery import page as gallery_page
from narrows.explore.gallery import project as own_project
from narrows.rendering import sprites
from narrows.store import outputs

ROW = "conv-umap-gmm"  # of examples/image_folder.yaml
MAX_SHOWN = 50_000  # pictures; more are drawn from, by the same numbers each time


def main(words: Sequence[str]) -> None:
    asked = arguments(words)
    if asked.data:
        row = asked.row or ROW
        project = own_project.make("image_folder", asked.data)
        own_project.repro(project, f"cluster@{row}")
        os.chdir(project)
        os.environ.pop("DVC_ROOT", None)
        asked.row = row
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
    x, codes, clusters, named = chosen.x, chosen.codes(), chosen.clusters, chosen.named
    rows = blocks.subset(np.arange(len(x)), MAX_SHOWN, seed=0)
    if drawn := len(rows) < len(x):
        x, codes, clusters = x[rows], codes[rows], clusters[rows]
        if named is not None:
            named = SampleNames([named.paths[i] for i in rows], [named.dates[i] for i in rows])
    errors = residuals.errors(chosen.artifacts, chosen.encoder, x)
    arranged = album.arranged(x, codes, clusters, errors)
    told = repr((chosen.dataset, chosen.key)).encode() + chosen.clusters.tobytes()
    identity = hashlib.sha256(told).hexdigest()[:16]
    own = getattr(chosen.params.dataset.config, "path", None)
    name = Path(own).name if own else chosen.dataset
    if drawn:
        name += f", {len(rows):,} drawn of {len(chosen.x):,} pictures"
    titles = gallery_page.Titles(name, chosen.key, chosen.encoder, identity)
    target = chosen.artifacts / "galleries" / chosen.key
    with outputs.output(target) as folder:
        url = gallery_page.url(source, target) if source else None
        pictures = x if drawn else shown(chosen, source)
        gallery_page.write(folder, titles, pictures, arranged, named, url)
    place = target / "index.html"
    print(f"gallery: {place.resolve().as_uri()} shows {len(x):,} pictures", flush=True)


def shown(chosen: Chosen, source: Path | None) -> np.ndarray:
    """Pictures (N, C, H, W) for the thumbnails: the originals anew, larger than what was learned
    from, where they all are there and as they were; otherwise the samples."""
    file = chosen.data / "schema/schema.json"
    schema = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if source is None or schema.get("size", sprites.MAX_SIDE) >= sprites.MAX_SIDE:
        return chosen.x
    module = plugins.load("datasets", schema["dataset"])
    try:
        found = module.encode({**schema, "size": sprites.MAX_SIDE}, {}, source)
    except NothingLeft:
        return chosen.x
    places = {name: row for row, name in enumerate(found.names)}
    if chosen.named is None or not places.keys() >= set(chosen.named.paths):
        print(f"gallery: pictures are missing in {source}; run `dvc repro`", flush=True)
        return chosen.x
    larger: np.ndarray = found.x[[places[path] for path in chosen.named.paths]]
    return larger


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
    parser = _base.row_parser(__name__, __doc__)
    parser.add_argument("--data", type=Path, help="a folder of pictures that is to be clustered")
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
        asked.to = asked.to.expanduser().absolute()
    if asked.data:
        asked.data = asked.data.expanduser()
    if asked.names:
        asked.names = asked.names.expanduser().absolute()
    if asked.pictures:
        asked.pictures = asked.pictures.expanduser().absolute()
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
