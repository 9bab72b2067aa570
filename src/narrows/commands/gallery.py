"""A clustered picture dataset as one page that opens offline, or as a folder for each cluster.

narrows gallery affine-conv-self-label
narrows gallery --folders links --to ~/sorted --names saved.json
narrows gallery --data ~/Photos

With --data the folder becomes a project of its own in .work/projects/, with the rows that `narrows
new` would give it, and is clustered first; the page is a new folder here, called after the
pictures'. params.yaml and artifacts here are not touched.
"""

import argparse
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from narrows.clustering.matching import NOISE
from narrows.commands import _base, _project
from narrows.commands._base import FinishedRow
from narrows.config.messages import plural
from narrows.data import blocks, new_files
from narrows.data.datasets._base import NothingLeft
from narrows.errors import UserError, say
from narrows.explore import guesses, residuals
from narrows.explore.gallery import album, colours, folders
from narrows.explore.gallery import page as gallery_page
from narrows.explore.gallery.plane import places
from narrows.explore.groups import Groups, Named
from narrows.rendering import progress, sprites
from narrows.store import choices, outputs
from narrows.store.reading import read_schema

MAX_SHOWN = 50_000  # pictures; more are drawn from, by the same numbers each time


def main(words: Sequence[str]) -> int:
    """Writes the page, or the folders."""
    options = arguments(words)
    place = None
    if options.data:
        place = _beside(options.data)
        project, row = _project.of_pictures(options.data, options.row)
        _project.dvc(project, "repro", "cluster", "deep_cluster")
        os.chdir(project)
        os.environ.pop("DVC_ROOT", None)
        options.row = row
    finished = _base.read_row(options.row)
    if finished.x.ndim != 4:
        file = finished.data / "x.npy"
        raise UserError(f"{file} holds no pictures but rows of {finished.x.shape[1]} values")
    source = _source(finished, options.pictures)
    named = finished.named(options.names)
    if options.folders:
        sort(options, finished, source, named)
    else:
        page(finished, source, place, named)
    return 0


@progress.watch("gallery")
def page(finished: FinishedRow, source: Path | None, place: Path | None, named: Named) -> None:
    """Writes the page of all pictures, or of a subset where they are very many.

    Args:
        source: folder of the originals.
        place: path of its folder, where that is not to lie among the artifacts; it gets a number
            where there is another one.
        named: what the page calls clusters to begin with.
    """
    x, codes, clusters = finished.x, finished.codes(), finished.clusters
    learned = finished.learned
    samples = finished.samples
    rows = blocks.subset(np.arange(len(x)), MAX_SHOWN, seed=0)
    is_subset = len(rows) < len(x)
    if is_subset:
        x, codes, clusters, learned = x[rows], codes[rows], clusters[rows], learned[rows]
        samples = None if samples is None else samples.part(rows)
    errors = residuals.errors(finished.artifacts, finished.encoder, finished.x, rows)
    arranged = album.arranged(x, codes, clusters, errors, learned=learned)
    name = finished.params.title
    if is_subset:
        name += f", {len(rows):,} drawn of {len(finished.x):,} pictures"
    chosen = choices.read_k(choices.k_folder(finished.artifacts))
    has_taken = len(finished.sizes.keys() - {NOISE}) == chosen.taken
    sizes = {cluster: size for cluster, _, size in arranged.sections}
    titles = gallery_page.Titles(
        finished.encoder,
        groups_of(finished, name, sizes, named),
        chosen.sentence if has_taken else "",
    )
    target = finished.artifacts / "galleries" / finished.key
    if place is not None:
        target = _free(place, finished.identity)
    with outputs.output(target) as folder:
        url = gallery_page.url(source, target) if source else None
        pictures = x if is_subset else thumbnails(finished, source)
        plane = places(codes)
        guessed = guesses.of_pictures(finished.artifacts, finished.encoder, rows)
        gallery_page.write(folder, titles, pictures, arranged, samples, url, plane, guessed)
    say(f"gallery: {(target / 'index.html').resolve()} shows {plural(len(x), 'picture')}")


def groups_of(finished: FinishedRow, name: str, sizes: Mapping[int, int], named: Named) -> Groups:
    """Clusters and coarse groups with guessed words, or colours where the encoder has no words.

    Args:
        name: what the page calls the data.
        sizes: number of pictures on the page by cluster, in its order.
    """

    def guess(clusters: np.ndarray) -> dict[int, str]:
        words = guesses.of_clusters(finished.artifacts, finished.encoder, clusters)
        if not words:
            return colours.guesses(colours.of_groups(finished.x, clusters), clusters)
        return {cluster: ", ".join(own) for cluster, own in words.items()}

    return finished.groups(guess(finished.clusters), guess, named, name, sizes)


def _beside(data: Path) -> Path:
    """Where the page of a folder of pictures goes: into this folder, but never into that one."""
    here, own = Path.cwd(), data.resolve()
    if here == own or own in here.parents:
        here = own.parent
    return here / f"{own.name}-gallery"


def _free(place: Path, identity: str) -> Path:
    """The path, or the first with a number behind, that is free or has the page of these very
    clusters."""
    numbered = (place.with_name(f"{place.name}-{n}") for n in itertools.count(2))
    return next(path for path in itertools.chain([place], numbered) if _is_free(path, identity))


def _is_free(place: Path, identity: str) -> bool:
    page = place / "index.html"
    is_same = page.is_file() and identity in page.read_text(encoding="utf-8", errors="replace")
    return is_same or not place.exists()


def thumbnails(finished: FinishedRow, source: Path | None) -> np.ndarray:
    """Pictures (N, C, H, W) for the thumbnails: the originals anew, larger than what was learned
    from, where they all are there and as they were; otherwise the samples."""
    if source is None or not (finished.data / "schema").exists():
        return finished.x
    schema = read_schema(finished.data)
    if schema.get("size", sprites.MAX_SIDE) >= sprites.MAX_SIDE:
        return finished.x
    try:
        originals = new_files.encoded(source, {**schema, "size": sprites.MAX_SIDE}, {})
    except NothingLeft:
        return finished.x
    places = {name: row for row, name in enumerate(originals.names or ())}
    if finished.samples is None or not places.keys() >= set(finished.samples.paths):
        say(f"gallery: pictures are missing in {source}; run `dvc repro`")
        return finished.x
    larger: np.ndarray = originals.x[[places[path] for path in finished.samples.paths]]
    return larger


@progress.watch("gallery")
def sort(
    options: argparse.Namespace, finished: FinishedRow, source: Path | None, named: Named
) -> None:
    """Makes a folder for each cluster, those that were merged in one."""
    folders.check(options.to, source)
    clusters = np.array([named.merged(int(cluster)) for cluster in finished.clusters])
    names = {c: named.name(c) for c in finished.sizes if named.merged(c) == c}
    rows = {c: np.flatnonzero(clusters == c).tolist() for c in names}
    n_missing = 0
    if finished.samples is None:
        if options.folders == "links":
            raise UserError("these pictures come from no files to link to; say --folders copies")
        folders.write_thumbnails(options.to, names, rows, finished.x)
    elif source is None:
        raise UserError("where the pictures are is not known; say it with --pictures FOLDER")
    else:
        paths = [source / path for path in finished.samples.paths]
        members = {
            cluster: [(paths[row].name, paths[row]) for row in own] for cluster, own in rows.items()
        }
        n_missing = folders.write(options.to, options.folders, names, members)
    say(f"gallery: {options.to} has {plural(len(rows), 'folder')} of {options.folders}")
    if n_missing:
        say(f"gallery: {plural(n_missing, 'picture')} no longer in {source}")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = _base.row_parser(__name__, __doc__)
    parser.add_argument("--data", type=Path, help="a folder of pictures that is to be clustered")
    parser.add_argument("--pictures", type=Path, help="folder of the originals")
    parser.add_argument("--folders", choices=["links", "copies"], help="instead of the page")
    parser.add_argument("--to", type=Path, help="where the folders go: a new or empty folder")
    parser.add_argument("--names", type=Path, help="JSON saved by the page: names and merges")
    return parser


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """The options, checked; paths are absolute, because --data changes the folder."""
    options = parser().parse_args(words)
    if (options.folders is None) != (options.to is None):
        parser().error("--folders and --to go together")
    if options.to:
        options.to = options.to.expanduser().absolute()
    if options.data:
        options.data = options.data.expanduser()
    if options.names:
        options.names = options.names.expanduser().absolute()
    if options.pictures:
        options.pictures = options.pictures.expanduser().absolute()
    return options


def _source(finished: FinishedRow, pictures: Path | None) -> Path | None:
    """Folder of the originals: that of --pictures, else the one in the dataset's row, if any."""
    folder = pictures or getattr(finished.params.dataset.config, "path", None)
    if folder is None:
        return None
    source = Path(folder).expanduser()
    if not source.is_dir():
        raise UserError(f"{source} is no folder; say with --pictures where the originals are")
    return source
