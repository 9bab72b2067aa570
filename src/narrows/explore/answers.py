"""The table of what a row says of new files, part by part: many more than fit in memory.

Where there are several parts they are computed on the engine, and each that is finished lies in
.work/apply/<fingerprint>/ until the table is written: a run that was killed goes on from there. The
fingerprint is of the row, the new files and the code, so that it never goes on with something else.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows import engine
from narrows.data import new_files
from narrows.data.datasets._base import Skipped, by_kind
from narrows.data.new_files import NewSamples, NothingIn, Piece
from narrows.engine import ONE_CORE, Files
from narrows.errors import UserError
from narrows.explore.apply import Description
from narrows.explore.question import Answerer, Question
from narrows.rendering import progress
from narrows.stages import runner
from narrows.store import code, digest_records, finished, outputs
from narrows.store.digests import digest_of, name_of
from narrows.store.files import atomic_write
from narrows.store.outputs import WORK
from narrows.store.reading import read_schema

if TYPE_CHECKING:
    import pandas as pd

FOLDER = WORK / "apply"
PRELOADED = ("torch", "pandas", "pyarrow.parquet", "sklearn.neighbors", "sklearn.metrics")
"""What every worker imports."""
N_HERE = 4
"""Parts that are computed before workers have begun."""
AHEAD = 64
"""Parts that an engine of other machines has at once, at most."""
DAY_S = 86_400.0
METADATA = b"narrows"
Source = tuple[Path, Skipped]
Part = tuple[int, list[Piece]]


@dataclass(frozen=True)
class Answer:
    """What is said of some new samples."""

    rows: pd.DataFrame
    """A line for each sample; the most similar known ones as their rows."""
    skipped: list[Source]
    """Path of the user's, and what was left out of it."""
    warnings: list[str]
    """Sentences on what was changed so that it fits."""


@dataclass
class Totals:
    """What there is in all parts."""

    n_samples: int = 0
    n_outliers: int | None = 0
    """None where no outlier can be told."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Number of files and rows that were left out, by kind of reason."""
    warnings: dict[str, list[str]] = field(default_factory=dict)
    """Sentences on what was changed so that it fits, by what they are without their figures."""

    def add(self, answer: Answer) -> None:
        """Counts a part."""
        self.skipped.update(by_kind(file for _, file in answer.skipped))
        for sentence in answer.warnings:
            self.warnings.setdefault(re.sub(r"\d.*", "", sentence), []).append(sentence)
        self.n_samples += len(answer.rows)
        if len(answer.rows) and self.n_outliers is not None:
            is_outlier = answer.rows["outlier"]
            own = None if is_outlier.isna().any() else int(is_outlier.sum())
            self.n_outliers = None if own is None else self.n_outliers + own

    def sentences(self) -> list[str]:
        """The warnings, of those that differ in their figures the first."""
        return [
            some[0] + (f" (so in {len(some) - 1:,} other parts, too)" if some[1:] else "")
            for some in self.warnings.values()
        ]


class Answers:
    """Answers on all parts, in their order: in memory, or in a folder until they are used."""

    def __init__(self, parts: Sequence[Answer | Path]):
        self._parts = parts
        self.totals = Totals()
        """Filled by the first look at all of them."""

    def __iter__(self) -> Iterator[Answer]:
        return (read(part) if isinstance(part, Path) else part for part in self._parts)

    def rows(self) -> Iterator[pd.DataFrame]:
        """Lines of samples, part by part."""
        self.totals = Totals()
        for answer in self:
            self.totals.add(answer)
            if len(answer.rows):
                yield answer.rows

    def skipped(self) -> Iterator[list[Source]]:
        """What was left out, part by part."""
        if self.totals.skipped:
            yield from (answer.skipped for answer in self if answer.skipped)


@contextlib.contextmanager
def on(question: Question, paths: Sequence[Path]) -> Iterator[Answers]:
    """What the row says of the samples of all paths; parts on disk go when the block ends well.

    Raises:
        UserError: nothing is there, does not fit, or changes while it is read.
        NothingLeft: nothing can be used.
    """
    new_files.check(paths)
    before = [state_of(path) for path in paths]
    answerer = Answerer(question)
    parts = answerer.parts(paths)
    head = list(itertools.islice(parts, 2))
    if len(head) < 2:
        yield Answers([described(answerer, pieces) for pieces in head])
        return
    fingerprint = fingerprint_of(question, before)
    folder = FOLDER / fingerprint
    head += itertools.islice(parts, N_HERE - 1)
    every = enumerate(itertools.chain(head, parts))
    with outputs.hold(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if len(head) <= N_HERE:
            files = _computed_here(answerer, folder, every)
        else:
            files = _computed(question, paths, folder, every)
        if [state_of(path) for path in paths] != before:
            shutil.rmtree(folder)
            raise UserError(f"{paths[0]}: files changed while they were read; do it again")
        answers = Answers(files)
        if not any(len(answer.rows) for answer in answers):
            raise NothingIn(paths, [source for some in answers for source in some.skipped])
        yield answers
        shutil.rmtree(folder)
    old = [p for p in FOLDER.glob("*/") if time.time() - outputs.last_written(p) > DAY_S]
    outputs.drop_oldest(old, finished.limit())


def _computed_here(answerer: Answerer, folder: Path, parts: Iterable[Part]) -> list[Path]:
    """Computes the parts that are not in the folder; files of all of them, in their order."""
    files: list[Path] = []
    for number, pieces in parts:
        files.append(file_of(folder, number))
        if not is_whole(files[-1]):
            write(files[-1], described(answerer, pieces, is_whole=False))
    return files


def _computed(
    question: Question, paths: Sequence[Path], folder: Path, parts: Iterable[Part]
) -> list[Path]:
    """The same by the engine."""
    files: list[Path] = []

    def missing() -> Iterator[Part]:
        for number, pieces in parts:
            files.append(file_of(folder, number))
            if not is_whole(files[-1]):
                yield number, pieces

    is_here = engine.is_elsewhere() and not can_travel(question, paths)
    reads, is_local = tuple(question.files()), is_here or engine.name() == engine.HERE
    outcomes = engine.each(
        functools.partial(_describe, question, folder.name),
        missing(),
        runner.slot_on(question.device) if question.has_features else ONE_CORE,
        lambda _: Files(reads),
        PRELOADED,
        n_at_once=None if is_local else AHEAD,
        is_here=is_here,
    )
    with progress.part("samples") as done:
        for outcome in outcomes:
            if outcome.value is None:
                assert outcome.error is not None
                raise outcome.error
            number, _ = outcome.row
            write(file_of(folder, number), outcome.value)
            done.n += len(outcome.value.rows)
            done.what = f"{int(done.n):,} samples"
    return files


def can_travel(question: Question, paths: Sequence[Path]) -> bool:
    """Whether a machine elsewhere can describe the samples: not those that are files of the user's,
    nor by a champion that was copied to a folder of this machine."""
    has_files = "originals" in read_schema(question.data)
    are_values = not has_files or all(path.suffix == ".npy" for path in paths)
    return are_values and not question.has_features and not question.artifacts.is_absolute()


def fingerprint_of(question: Question, states: Sequence[Any]) -> str:
    """Hex name of all that the answers depend on.

    Args:
        states: of the new files, see `state_of`.
    """
    digests = [digest_of(file) for file in question.files()]
    about = [question.dataset, question.key, question.n_similar]
    return name_of([about, digests, states, code.files_digest()])[:32]


def state_of(path: Path) -> Any:
    """What changes when a file is written to, or one in a folder; no file is opened."""
    whole = hashlib.sha256()
    waiting = [path.resolve()]
    while waiting:
        place = waiting.pop()
        with contextlib.suppress(OSError):  # it may be a link that leads nowhere
            whole.update(os.fsencode(place))
            if place.is_dir() and (place == path.resolve() or not place.is_symlink()):
                waiting += sorted(Path(inner.path) for inner in os.scandir(place))
            else:
                whole.update(json.dumps(digest_records.state_of(place.stat())).encode())
    return whole.hexdigest()


@functools.cache
def _opened(question: Question, fingerprint: str) -> Answerer:
    """The row, opened once in each worker."""
    return Answerer(question)


def _describe(question: Question, fingerprint: str, part: Part) -> Answer:
    """What is said of a part, by a worker."""
    return described(_opened(question, fingerprint), part[1], is_whole=False)


def described(answerer: Answerer, pieces: Sequence[Piece], is_whole: bool = True) -> Answer:
    """What is said of some samples.

    Args:
        is_whole: raises `NothingLeft` where nothing can be used; a part may hold nothing.
    """
    import pandas as pd

    try:
        new, x = answerer.read(pieces)
    except NothingIn as nothing:
        if is_whole:
            raise
        return Answer(pd.DataFrame(), nothing.sources, [])
    rows = lines(new, answerer.describe(new, x), bool(answerer.known.columns))
    return Answer(rows, new.skipped, new.warnings)


def lines(new: NewSamples, description: Description, has_columns: bool) -> pd.DataFrame:
    """A line for each sample, the most similar known ones as their rows."""
    import pandas as pd

    columns: dict[str, Any] = {
        "path": [printable(path) for path in new.paths],
        "name": new.names,
        "cluster": pd.array(description.answer.clusters, dtype="Int64"),
        "membership": description.answer.soft.max(axis=1, initial=0),
        "distance": description.answer.distances,
        "error": description.answer.errors,
    }
    if has_columns:
        columns |= {"score": description.scores, "columns": description.reasons}
    can_tell = np.isfinite(description.limit)
    is_outlier = description.is_outlier if can_tell else [None] * len(new.x)
    columns |= {"rank": description.ranks, "outlier": pd.array(is_outlier, dtype="boolean")}
    for i in range(description.similar.shape[1]):
        columns[f"similar_{i + 1}"] = description.similar[:, i]
        columns[f"similar_{i + 1}_distance"] = description.similar_distances[:, i]
    return pd.DataFrame(columns)


def printable(path: Path) -> str:
    """A path as text, bytes that are no UTF-8 as \\xff and so on."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def file_of(folder: Path, number: int) -> Path:
    """The file of a part."""
    return folder / f"{number:06}.parquet"


def write(file: Path, answer: Answer) -> None:
    """Writes a part, whole or not at all."""
    import pyarrow as pa
    from pyarrow import parquet

    skipped = [[printable(path), *own] for path, own in answer.skipped]
    beside = json.dumps({"skipped": skipped, "warnings": answer.warnings}).encode()
    table = pa.Table.from_pandas(answer.rows, preserve_index=False)
    table = table.replace_schema_metadata({**table.schema.metadata, METADATA: beside})
    with atomic_write(file) as partial:
        parquet.write_table(table, partial)


def read(file: Path) -> Answer:
    """A part as `write` wrote it."""
    from pyarrow import parquet

    table = parquet.read_table(file)
    beside = json.loads(table.schema.metadata[METADATA])
    skipped = [(Path(path), Skipped(*own)) for path, *own in beside["skipped"]]
    return Answer(table.to_pandas(), skipped, beside["warnings"])


def is_whole(file: Path) -> bool:
    """Whether a part is there, from a run before; a machine that lost its power may have left half
    of it."""
    from pyarrow import ArrowException, parquet

    try:
        return METADATA in (parquet.read_metadata(file).metadata or {})
    except (OSError, ArrowException):
        return False
