"""What a finished clustering says about new files: clusters, outliers, the most similar known ones.

narrows apply --run conv-kmeans ~/new/pictures ~/one.jpg
narrows apply --run champion new.csv --to new.parquet
narrows apply ~/new/pictures --to ~/new/page

A path is a folder or a file as the dataset takes them, or an .npy of samples as its x.npy has
them. With a name that ends in .csv or .parquet, --to is a table, otherwise a page of pictures in a
new folder; without --to the table is printed as CSV.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from narrows.clustering import neighbours
from narrows.commands import _answers, _base
from narrows.config import params
from narrows.config.messages import plural
from narrows.config.params import Params
from narrows.data import names, new_files, table_frame
from narrows.data.new_files import NewSamples, Piece
from narrows.data.prepare import ASSUMED
from narrows.errors import UserError
from narrows.explore import answers, groups
from narrows.explore.answers import Answer, Answers, Totals
from narrows.explore.apply import Description, Known
from narrows.explore.gallery import folders
from narrows.explore.groups import KNOWN, Groups, Named
from narrows.explore.question import Answerer, Question
from narrows.rendering import progress
from narrows.store.reading import read_array, read_schema

if TYPE_CHECKING:
    import pandas as pd

CHAMPION = "champion"


def main(words: Sequence[str]) -> int:
    """Prints the table, or writes it or the page."""
    options = arguments(words)
    check(options)
    p = params.load()
    data = Path("data", p.dataset.name)
    is_page = options.to is not None and options.to.suffix.lower() not in _answers.TABLES
    with progress.watch("apply"), finished(p, options.run) as (artifacts, key):
        is_deep = key in p.deep_clusterings
        question = Question(p.dataset.name, artifacts, key, is_deep, options.n, p.device)
        report = (page_of if is_page else table_of)(p, question, options)
    has_columns = bool(table_frame.used(read_schema(data)))
    remarks = [f"columns are read as {data / ASSUMED} says"] if has_columns else []
    _answers.report("apply", report, remarks, options.to)
    return 0


def table_of(p: Params, question: Question, options: argparse.Namespace) -> _answers.Report:
    """Writes the table, or prints it."""
    with answers.on(question, options.paths) as parts:
        known_names = names_of(question)
        own_groups = groups_of(p, question, options.names)
        lines = tables(parts, known_names, own_groups)
        _answers.save(lines, options.to) if options.to else _answers.show(lines)
    return report_of(question, parts.totals)


def page_of(p: Params, question: Question, options: argparse.Namespace) -> _answers.Report:
    """Writes the page, for which all samples are in memory, with the table beside it."""
    new_files.check(options.paths)
    answerer = Answerer(question)
    new, x = answerer.read([Piece(path) for path in options.paths])
    description = answerer.describe(new, x)
    rows = answers.lines(new, description, bool(answerer.known.columns))
    parts = Answers([Answer(rows, new.skipped, new.warnings)])
    own_groups = groups_of(p, question, options.names)
    samples = names.read(question.data / "samples.csv", len(answerer.known.x))
    root = getattr(p.dataset.config, "path", None)
    with folders.new(options.to) as folder:
        page(folder, options.to, own_groups, new, description, answerer.known, samples, root)
        _answers.save(tables(parts, names_of(question), own_groups), folder / "samples.csv")
    return report_of(question, parts.totals)


def report_of(question: Question, totals: Totals) -> _answers.Report:
    """What is said of all samples."""
    answer = f"by {question.key}, {counted_outliers(totals.n_outliers)}"
    return _answers.Report(totals.n_samples, totals.sentences(), totals.skipped, answer)


def names_of(question: Question) -> Sequence[str]:
    """Names of the known samples."""
    n = len(read_array(question.data / "x.npy"))
    samples = names.read(question.data / "samples.csv", n)
    return samples.paths if samples else [f"row {i + 1}" for i in range(n)]


def tables(
    parts: Answers, known_names: Sequence[str], own_groups: Groups
) -> Iterator[pd.DataFrame]:
    """The lines of the table, some at a time; those of what was skipped come last."""
    known = np.array(known_names, object)
    for rows in parts.rows():
        rows = rows.copy()
        for column in rows.filter(regex=r"^similar_\d+$"):
            rows[column] = known[rows[column].to_numpy()].tolist()
        at, clusters = list(rows.columns).index("cluster") + 1, rows["cluster"].tolist()
        if own_groups.named != Named():
            rows.insert(at, "group", [own_groups.named.label(cluster) for cluster in clusters])
        if own_groups.coarse:
            rows.insert(at, "coarse", [own_groups.coarse.get(cluster, "") for cluster in clusters])
        rows["skipped"] = ""
        yield rows
    yield from map(_answers.left_out, parts.skipped())


def counted_outliers(n: int | None) -> str:
    """How many outliers there are, or that none can be told."""
    if n is None:
        return (
            "whose encoder reconstructs known samples without a loss: there is no outlier to tell"
        )
    return plural(n, "outlier")


def groups_of(p: Params, question: Question, names_file: Path | None) -> Groups:
    """Coarse groups of the clusters, and what a page's reader called them."""
    stored, key = question.stored, question.key
    identity = groups.identity_of(p.dataset.name, key, stored.clusters)
    coarse = _base.coarse_letters(
        Path("artifacts", p.dataset.name), np.asarray(stored.codes), stored.clusters
    )
    return Groups(
        dataset=f"New pictures, {p.title}",
        clustering=key,
        identity=identity,
        sizes={},
        coarse=coarse,
        named=groups.read_names(names_file, identity) if names_file else Named(),
    )


def page(
    folder: Path,
    target: Path,
    own_groups: Groups,
    new: NewSamples,
    description: Description,
    known: Known,
    samples: names.SampleNames | None,
    root: str | None,
) -> None:
    """index.html of the new pictures by cluster, and of the known ones that are most like them.

    Args:
        target: where the folder will be.
        own_groups: what is known of the clusters.
        root: folder of the known pictures.
    """
    from narrows.explore.gallery import album
    from narrows.explore.gallery import page as gallery_page

    if new.x.ndim != 4:
        raise UserError(f"{target}: a page is made of pictures; --to a .csv or .parquet instead")
    n, rows = len(new.x), np.unique(description.similar)
    x = np.concatenate([new.x, known.x[rows]])
    codes = np.concatenate([description.answer.codes, known.codes[rows]])
    clusters = np.concatenate([description.answer.clusters, np.full(len(rows), KNOWN)])
    distances = album.to_own_mean(codes, clusters)
    distances[:n] = description.answer.distances
    arranged = album.arranged(x, codes, clusters, None, distances)
    worst = np.argsort(-description.scores, kind="stable")
    similar = neighbours.nearest(codes, None, description.similar.shape[1])
    similar[:n] = n + np.searchsorted(rows, description.similar)  # known ones, copies too
    places = np.argsort(arranged.rows)
    arranged = dataclasses.replace(
        arranged,
        outliers=places[worst[description.is_outlier[worst]]],
        similar=places[similar][arranged.rows],
    )
    page_names, source = _place_together(target, new, samples, rows, root)
    on_page = dataclasses.replace(
        own_groups,
        identity=hashlib.sha256(own_groups.identity.encode() + new.x.tobytes()).hexdigest()[:16],
        sizes={cluster: size for cluster, _, size in arranged.sections},
    )
    titles = gallery_page.Titles(own_groups.clustering, on_page)
    gallery_page.write(folder, titles, x, arranged, page_names, source)


def _place_together(
    target: Path,
    new: NewSamples,
    samples: names.SampleNames | None,
    rows: np.ndarray,
    root: str | None,
) -> tuple[names.SampleNames | None, str | None]:
    """Names of new pictures and of known ones, relative to a folder around all, and its URL.

    Both are None where pictures have no files.

    Args:
        target: folder of the page.
        rows: rows of the known pictures.
        root: folder of the known pictures.
    """
    from narrows.explore.gallery import page as gallery_page

    if samples is None or root is None or any(path.suffix == ".npy" for path in new.paths):
        return None, None
    own, theirs = Path(root).expanduser().resolve(), [_place(*pair) for pair in _pairs(new)]
    common = Path(os.path.commonpath([own, *(place.parent for place in theirs)]))
    files = [*theirs, *(own / samples.paths[row] for row in rows)]
    paths = [os.path.relpath(file, common) for file in files]
    dates = [*new.dates, *(samples.dates[row] for row in rows)]
    return names.SampleNames(paths, dates), gallery_page.url(common, target)


@contextmanager
def finished(p: Params, run: str | None) -> Iterator[tuple[Path, str]]:
    """Folder of artifacts, and the key of the row: that of params.yaml, or MLflow's champion."""
    rows = {**p.clusterings, **p.deep_clusterings}
    if run == CHAMPION and CHAMPION not in rows:
        from narrows.tracking import registry

        with tempfile.TemporaryDirectory() as folder:
            yield registry.download_champion(p.dataset.name, Path(folder))
        return
    key = run or list(rows)[-1]
    params.select(rows, key, "clusterings or deep_clusterings")
    yield Path("artifacts", p.dataset.name), key


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = _base.parser(__name__, __doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder")
    runs = "row of clusterings or deep_clusterings, or champion; the last row if not given"
    parser.add_argument("--run", help=runs)
    parser.add_argument("--to", type=Path, help="a .csv, a .parquet, or a new folder for a page")
    parser.add_argument("--names", type=Path, help="JSON saved by a page: names and merges")
    parser.add_argument("-n", type=int, default=5, help="how many similar samples")
    return parser


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """The options, checked."""
    options = parser().parse_args(words)
    if options.n < 1:
        parser().error("-n: at least 1")
    options.paths = [path.expanduser() for path in options.paths]
    options.to = options.to.expanduser() if options.to else None
    options.names = options.names.expanduser() if options.names else None
    return options


def check(options: argparse.Namespace) -> None:
    """Raises `UserError` where something stands already."""
    if options.to is None:
        return
    if options.to.suffix.lower() in _answers.TABLES:
        if options.to.exists():
            raise UserError(f"{options.to} is there already; name a file that is not")
        return
    for path in options.paths:
        folders.check(options.to, path if path.is_dir() else None)


def _pairs(new: NewSamples) -> Iterator[tuple[Path, str]]:
    return zip(new.paths, new.names, strict=True)


def _place(path: Path, name: str) -> Path:
    """Place of a picture whose `name` is relative to a folder, or a file's own name."""
    return (path / name if path.is_dir() else path).resolve()
