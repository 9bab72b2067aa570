"""What a finished clustering tells of new files: clusters, outliers, the most similar known ones.

python -m narrows apply --run conv-kmeans ~/new/pictures ~/one.jpg
python -m narrows apply --run champion new.csv --to told.parquet
python -m narrows apply ~/new/pictures --to ~/new/page

A path is a folder or a file as the dataset takes them, or an .npy of samples as its x.npy has
them. With a name that ends in .csv or .parquet, --to is a table, otherwise a page of pictures in a
new folder; without --to the table is printed as CSV.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.clustering import neighbours, saved
from narrows.config import params
from narrows.config.params import Params
from narrows.data import names as samples
from narrows.data import new_files, splits, table_frame
from narrows.data.datasets._base import counted
from narrows.data.new_files import NewSamples
from narrows.errors import UserError
from narrows.explore import apply
from narrows.explore.apply import Known, Told
from narrows.explore.gallery import folders
from narrows.store import clusterings
from narrows.store.digests import digest
from narrows.store.files import atomic_write
from narrows.store.reading import existing

if TYPE_CHECKING:
    import pandas as pd

CHAMPION = "champion"
TABLES = (".csv", ".parquet")


def main(words: Sequence[str]) -> None:
    asked = arguments(words)
    check(asked)
    p = params.load()
    data = Path("data", p.dataset.name)
    x = np.load(existing(data / "x.npy"), mmap_mode="r", allow_pickle=False)
    with finished(p, asked.run) as (artifacts, key):
        known = read_known(p, artifacts, key, x)
        new = new_files.read(asked.paths, data, x)
        found = apply.told(saved.load(artifacts, key), known, new.x, asked.n)
    named = samples.read(data / "samples.csv", len(x))
    names = named.paths if named else [f"row {row + 1}" for row in range(len(x))]
    made = table(new, found, names, bool(known.columns))
    if asked.to is None:
        show(made)
    elif asked.to.suffix.lower() in TABLES:
        save(made, asked.to)
    else:
        with folders.new(asked.to) as folder:
            root = getattr(p.dataset.config, "path", None)
            page(folder, asked.to, (p.dataset.name, key), new, found, known, named, root)
            save(made, folder / "samples.csv")
    for warning in new.warnings:
        print(f"apply: {warning}", file=sys.stderr)
    told = f"apply: {len(new.x):,} samples by {key}, {int(found.is_outlier.sum()):,} outliers"
    if new.skipped:
        told += f"; skipped {counted([one for _, one in new.skipped])}, see the column `skipped`"
    print(told + (f"; {asked.to}" if asked.to else ""), file=sys.stderr, flush=True)


def table(new: NewSamples, found: Told, names: Sequence[str], has_columns: bool) -> pd.DataFrame:
    """A line for each sample, and one for each file that was skipped."""
    import pandas as pd

    made: dict[str, Any] = {
        "path": [printable(path) for path in new.paths],
        "name": new.names,
        "cluster": pd.array(found.answer.clusters, dtype="Int64"),
        "membership": found.answer.soft.max(axis=1, initial=0),
        "distance": found.answer.distances,
        "error": found.answer.errors,
    }
    if has_columns:
        made |= {"score": found.scores, "columns": found.reasons}
    made |= {"rank": found.ranks, "outlier": pd.array(found.is_outlier, dtype="boolean")}
    for i in range(found.similar.shape[1]):
        made[f"similar_{i + 1}"] = [names[row] for row in found.similar[:, i]]
        made[f"similar_{i + 1}_distance"] = found.far[:, i]
    rows = pd.DataFrame(made)
    rows["skipped"] = ""
    left_out = pd.DataFrame(
        {
            "path": [printable(path) for path, _ in new.skipped],
            "name": [one.path for _, one in new.skipped],
            "skipped": [one.reason for _, one in new.skipped],
        }
    )
    return pd.concat([rows, left_out], ignore_index=True) if len(left_out) else rows


def page(
    folder: Path,
    target: Path,
    keys: tuple[str, str],
    new: NewSamples,
    found: Told,
    known: Known,
    named: samples.SampleNames | None,
    root: str | None,
) -> None:
    """index.html of the new pictures by cluster, and of the known ones that are most like them.

    Args:
        target: where the folder will be.
        keys: of the dataset and of the row.
        root: folder of the known pictures.
    """
    from narrows.explore.gallery import album
    from narrows.explore.gallery import page as gallery_page

    if new.x.ndim != 4:
        raise UserError(f"{target}: a page is made of pictures; --to a .csv or .parquet instead")
    n, rows = len(new.x), np.unique(found.similar)
    x = np.concatenate([new.x, known.x[rows]])
    codes = np.concatenate([found.answer.codes, known.codes[rows]])
    clusters = np.concatenate([found.answer.clusters, np.full(len(rows), gallery_page.KNOWN)])
    distances = album.to_own_mean(codes, clusters)
    distances[:n] = found.answer.distances
    arranged = album.arranged(x, codes, clusters, None, distances)
    worst = np.argsort(-found.scores, kind="stable")
    similar = neighbours.nearest(codes, None, found.similar.shape[1])
    similar[:n] = n + np.searchsorted(rows, found.similar)  # of new ones the known, copies too
    places = np.argsort(arranged.rows)
    arranged = dataclasses.replace(
        arranged,
        outliers=places[worst[found.is_outlier[worst]]],
        similar=places[similar][arranged.rows],
    )
    kept, source = None, None
    if named is not None and root is not None and all(path.suffix != ".npy" for path in new.paths):
        own, theirs = Path(root).expanduser().resolve(), [_place(*one) for one in _pairs(new)]
        common = Path(os.path.commonpath([own, *(place.parent for place in theirs)]))
        files = [*theirs, *(own / named.paths[row] for row in rows)]
        told = [os.path.relpath(file, common) for file in files]
        kept = samples.SampleNames(told, [*new.dates, *(named.dates[row] for row in rows)])
        source = gallery_page.url(common, target)
    identity = hashlib.sha256(repr(keys).encode() + new.x.tobytes()).hexdigest()[:16]
    dataset, key = keys
    titles = gallery_page.Titles(f"New pictures, {dataset}", key, key, identity)
    gallery_page.write(folder, titles, x, arranged, kept, source)


def read_known(p: Params, artifacts: Path, key: str, x: np.ndarray) -> Known:
    """What the row was made from, which has to be what lies in data/ now."""
    data = Path("data", p.dataset.name)
    stored, split = clusterings.open_clustering(artifacts, key), existing(data / "split.npy")
    if stored.encoder.config["data_digest"] != digest(data / "x.npy", split):
        raise UserError(f"{key} was made from other data than {data} holds now; run `dvc repro`")
    train = np.flatnonzero(np.load(split) == splits.NAMES.index("train"))
    schema = json.loads(existing(data / "schema/schema.json").read_text("utf-8"))
    return Known(x, np.asarray(stored.codes), train, table_frame.used(schema))


@contextmanager
def finished(p: Params, run: str | None) -> Iterator[tuple[Path, str]]:
    """Folder of artifacts, and the key of the row: that of params.yaml, or MLflow's champion."""
    rows = {**p.clusterings, **p.deep_clusterings}
    if run == CHAMPION and CHAMPION not in rows:
        from narrows.tracking import registry

        with tempfile.TemporaryDirectory() as folder:
            yield registry.download(p.dataset.name, Path(folder))
        return
    key = run or list(rows)[-1]
    params.select(rows, key, "clusterings or deep_clusterings")
    yield Path("artifacts", p.dataset.name), key


def show(made: pd.DataFrame) -> None:
    try:
        made.to_csv(sys.stdout, index=False, float_format="%.6g", lineterminator="\n")
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def save(made: pd.DataFrame, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as partial:
        if file.suffix.lower() == ".csv":
            made.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
        else:
            made.to_parquet(partial, index=False)


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m narrows apply", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    told = "row of clusterings or deep_clusterings, or champion; the last row"
    parser.add_argument("--run", help=told)
    parser.add_argument("--to", type=Path, help="a .csv, a .parquet, or a new folder for a page")
    parser.add_argument("-n", type=int, default=5, help="how many similar samples")
    asked = parser.parse_args(words)
    if asked.n < 1:
        parser.error("-n: at least 1")
    asked.paths = [path.expanduser() for path in asked.paths]
    asked.to = asked.to.expanduser() if asked.to else None
    return asked


def check(asked: argparse.Namespace) -> None:
    """Raises `UserError` where something stands already."""
    if asked.to is None:
        return
    if asked.to.suffix.lower() in TABLES:
        if asked.to.exists():
            raise UserError(f"{asked.to} is there already; name a file that is not")
        return
    for path in asked.paths:
        folders.check(asked.to, path if path.is_dir() else None)


def printable(path: Path) -> str:
    """Bytes that are no UTF-8 as \\xff and so on."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _pairs(new: NewSamples) -> Iterator[tuple[Path, str]]:
    return zip(new.paths, new.names, strict=True)


def _place(path: Path, name: str) -> Path:
    """Of a picture: `name` is relative to a folder, and a file's own name otherwise."""
    return (path / name if path.is_dir() else path).resolve()
