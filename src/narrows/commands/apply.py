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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from narrows.clustering import neighbours, saved
from narrows.clustering.saved import Saved
from narrows.commands import _answers, _base
from narrows.config import params
from narrows.config.messages import plural
from narrows.config.params import Params
from narrows.data import names, splits, table_frame
from narrows.data.new_files import NewSamples
from narrows.data.prepare import ASSUMED
from narrows.data.tables import beyond
from narrows.errors import UserError
from narrows.evaluation import outliers
from narrows.explore import apply, groups, new_samples
from narrows.explore.apply import Description, Known
from narrows.explore.gallery import folders
from narrows.explore.groups import KNOWN, Groups, Named
from narrows.rendering import progress
from narrows.store import clusterings, features
from narrows.store.clusterings import StoredClustering
from narrows.store.digests import digest
from narrows.store.reading import existing, read_array, read_schema

if TYPE_CHECKING:
    import pandas as pd

CHAMPION = "champion"


def main(words: Sequence[str]) -> int:
    """Prints the table, or writes it or the page."""
    options = arguments(words)
    check(options)
    p, counts = params.load(), list[int | None]()
    data = Path("data", p.dataset.name)
    is_page = options.to is not None and options.to.suffix.lower() not in _answers.TABLES
    with progress.watch("apply"), finished(p, options.run) as (artifacts, key):
        stored = clusterings.open_clustering(artifacts, key, key in p.deep_clusterings)
        known = read_known(p, stored, read_array(data / "x.npy"))
        question = read_question(p, stored, known, options.paths, options.n)
        own_groups = groups_of(p, key, stored, known, options.names)
        samples = names.read(data / "samples.csv", len(known.x))
        known_names = samples.paths if samples else [f"row {i + 1}" for i in range(len(known.x))]
        whole = [(question.new, question.describe())] if is_page else []
        parts = whole or question.describe_parts()
        lines = tables(parts, known_names, bool(known.columns), own_groups, counts)
        if is_page:
            with folders.new(options.to) as folder:
                root = getattr(p.dataset.config, "path", None)
                page(folder, options.to, own_groups, *whole[0], known, samples, root)
                _answers.save(lines, folder / "samples.csv")
        elif options.to:
            _answers.save(lines, options.to)
        else:
            _answers.show(lines)
    remarks = [f"columns are read as {data / ASSUMED} says"] if known.columns else []
    answer = f"by {key}, {counted_outliers(counts)}"
    _answers.report("apply", question.new, remarks, answer, options.to)
    return 0


@dataclass(frozen=True)
class Question:
    """New samples, and the row that is to describe them."""

    new: NewSamples
    x: np.ndarray
    """The samples (N, ...) as its encoder takes them, or features of them where it takes those."""
    clustering: Saved
    known: Known
    """What the row was made from, as its encoder takes it."""
    n_similar: int

    def describe(self) -> Description:
        """What the row says of them."""
        about = self.clustering, self.known, self.x, self.new.beyond, self.n_similar
        return apply.describe(*about)

    def describe_parts(self) -> Iterator[tuple[NewSamples, Description]]:
        """The same of some samples after the others, so that many more than fit in memory can be
        described."""
        about = self.clustering, self.known, self.x, self.new.beyond, self.n_similar
        for rows, description in apply.describe_parts(*about):
            yield self.new.part(rows), description


def read_question(
    p: Params, stored: StoredClustering, known: Known, paths: Sequence[Path], n_similar: int
) -> Question:
    """The samples of the paths, and the row that is to describe them."""
    data, own = Path("data", p.dataset.name), Path("artifacts", p.dataset.name)
    new, x = new_samples.read(paths, data, known.x, own, stored.encoder, p.device)
    known = dataclasses.replace(known, x=features.input_of(own, stored.encoder.config, known.x))
    return Question(new, x, saved.of_stored(stored), known, n_similar)


def tables(
    parts: Iterable[tuple[NewSamples, Description]],
    known_names: Sequence[str],
    has_columns: bool,
    own_groups: Groups,
    counts: list[int | None],
) -> Iterator[pd.DataFrame]:
    """The lines of the table, part by part; `counts` gets the number of outliers of each part, None
    where none can be told."""
    for new, description in parts:
        can_tell = np.isfinite(description.limit)
        counts.append(int(description.is_outlier.sum()) if can_tell else None)
        yield table(new, description, known_names, has_columns, own_groups)


def counted_outliers(counts: Sequence[int | None]) -> str:
    """How many outliers there are in all parts, or that none can be told."""
    if None in counts:
        return (
            "whose encoder reconstructs known samples without a loss: there is no outlier to tell"
        )
    return plural(sum(count or 0 for count in counts), "outlier")


def groups_of(
    p: Params, key: str, stored: StoredClustering, known: Known, names_file: Path | None
) -> Groups:
    """Coarse groups of the clusters, and what a page's reader called them."""
    clusters = stored.clusters
    identity = groups.identity_of(p.dataset.name, key, clusters)
    return Groups(
        dataset=f"New pictures, {p.title}",
        clustering=key,
        identity=identity,
        sizes={},
        coarse=_base.coarse_letters(Path("artifacts", p.dataset.name), known.codes, clusters),
        named=groups.read_names(names_file, identity) if names_file else Named(),
    )


def table(
    new: NewSamples,
    description: Description,
    known_names: Sequence[str],
    has_columns: bool,
    own_groups: Groups,
) -> pd.DataFrame:
    """A line for each sample, and one for each file that was skipped."""
    import pandas as pd

    n, clusters = len(new.x), description.answer.clusters
    columns: dict[str, Any] = {
        "cluster": pd.array(clusters, dtype="Int64"),
    }
    if own_groups.coarse:
        columns["coarse"] = [own_groups.coarse.get(int(c), "") for c in clusters]
    if own_groups.named != Named():
        columns["group"] = [own_groups.named.label(int(c)) for c in clusters]
    columns |= {
        "membership": description.answer.soft.max(axis=1, initial=0),
        "distance": description.answer.distances,
        "error": description.answer.errors,
    }
    if has_columns:
        columns |= {"score": description.scores, "columns": description.reasons}
    can_tell = np.isfinite(description.limit)
    columns |= {
        "rank": description.ranks,
        "outlier": pd.array(description.is_outlier if can_tell else [None] * n, dtype="boolean"),
    }
    for i in range(description.similar.shape[1]):
        columns[f"similar_{i + 1}"] = [known_names[row] for row in description.similar[:, i]]
        columns[f"similar_{i + 1}_distance"] = description.similar_distances[:, i]
    return _answers.table(new, columns)


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


def read_known(p: Params, stored: StoredClustering, x: np.ndarray) -> Known:
    """What the row was made from, which has to be what lies in data/ now."""
    data = Path("data", p.dataset.name)
    split = existing(data / "split.npy")
    if stored.encoder.config["data_digest"] != digest(data / "x.npy", split):
        key = stored.folder.name
        raise UserError(f"{key} was made from other data than {data} holds now; run `dvc repro`")
    reference = outliers.reference(splits.mask(read_array(split, mmap=False), "train"))
    columns = table_frame.used(read_schema(data))
    shape = (len(x), len(columns))
    outside = beyond.read(data / "schema", shape) if columns else sparse.csr_array(shape)
    return Known(x, np.asarray(stored.codes), reference, columns, outside)


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
