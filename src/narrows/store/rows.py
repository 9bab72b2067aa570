"""A row of params.yaml and the folder that it leaves: when it is current, how it comes there.

row.json, beside the files of a row, says what they were computed from: the row with every default,
digests of the files that it read, and of the code that it reached. It has the same text in every
process and on every machine, and no time in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from narrows.errors import UserError
from narrows.store import code, finished, outputs
from narrows.store.digests import digest_of, name_of
from narrows.store.outputs import WORK

FORMAT = 1
"""Counts up when what this room writes into a row's folder means something else than before."""
FILE = "row.json"
CHECKPOINTS = WORK / "checkpoints"
DAY_S = 86_400.0


@dataclass(frozen=True)
class Row:
    """What is computed for one key of a section of params.yaml."""

    name: str
    """Section and key, like "autoencoders.deep"; messages begin with it."""
    folder: Path
    """Where its files lie, below artifacts/<dataset>."""
    settings: Any
    """What the result depends on besides files and code, as JSON: the row, the seed, ..."""
    reads: tuple[Path, ...]
    """Files that it reads, relative to the project."""
    call: Call
    """Computes it."""
    plugins: tuple[str, ...] = ()
    """Modules that the call loads by name; its code begins there and in the call's module."""
    helpers: tuple[Call, ...] = ()
    """Take over a part of its work where slots are free; without them it is computed as well."""

    def fingerprint(self) -> Fingerprint:
        """What its result would be computed from now.

        Raises:
            UserError: a file that it reads is missing.
        """
        reads = {path.as_posix(): digest_of(path) for path in self.reads}
        return Fingerprint(
            self.name, self.settings, reads, code.digest([self.call.module, *self.plugins])
        )


@dataclass(frozen=True)
class Call:
    """A function by its name, with arguments: it is imported where it runs, so the process that
    only looks which rows are current waits for no heavy library."""

    module: str
    """Dotted name, like "narrows.stages.train"."""
    function: str
    arguments: tuple[Any, ...]
    """Picklable; the attempt comes after them."""

    def __call__(self, attempt: Attempt) -> Any:
        """Runs it on one attempt at a row."""
        return getattr(import_module(self.module), self.function)(*self.arguments, attempt)


@dataclass(frozen=True)
class Fingerprint:
    """What a result was computed from."""

    name: str
    settings: Any
    reads: dict[str, str]
    """SHA-256 by file."""
    code: str
    """SHA-256 of the code that was reached."""

    def identity(self) -> str:
        """Hex name of this row with these settings on these files, whatever the code: an MLflow
        run is replaced when the code of its row changes."""
        return name_of([self.name, self.settings, self.reads])[:32]

    def digest(self) -> str:
        """Hex name of everything: a result under this name need not be computed again."""
        return name_of([FORMAT, self.name, self.settings, self.reads, self.code])[:32]

    def text(self, folder: Path) -> str:
        """The content of row.json beside the files of the folder."""
        record = {
            "fingerprint": self.digest(),
            "identity": self.identity(),
            "name": self.name,
            "settings": self.settings,
            "reads": self.reads,
            "code": self.code,
            "files": {path.name: digest_of(path) for path in sorted(folder.iterdir())},
        }
        return json.dumps(record, indent=2, sort_keys=True) + "\n"


@dataclass(frozen=True)
class Attempt:
    """One attempt to compute a row, as its task sees it."""

    row: Row
    identity: str
    """Under which MLflow finds the row's run."""
    folder: Path
    """Empty; what is written into it becomes the row's folder if the task ends well."""
    checkpoints: Path
    """Folder of unfinished work, tied to this very row, data and code. It may not be there yet;
    what is found in it is resumed."""
    helps: bool = False
    """Whether it only helps another attempt at the row, and has no folder."""


def is_current(row: Row, fingerprint: Fingerprint) -> bool:
    """Whether the row's folder was computed from exactly this, and no file of it has changed."""
    return is_whole(row.folder, fingerprint)


def is_whole(folder: Path, fingerprint: Fingerprint) -> bool:
    """Whether a folder holds what was computed from this, every file as it was written."""
    try:
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))
        files = {name: digest_of(folder / name) for name in record["files"]}
        return bool(record["fingerprint"] == fingerprint.digest() and files == record["files"])
    except (OSError, ValueError, KeyError, TypeError, UserError):
        return False


def attempt(row: Row, fingerprint: Fingerprint, writes: bool = True) -> Attempt:
    """An attempt to compute the row, with an empty folder beside the row's own, so that one rename
    makes it that.

    Args:
        writes: False for a process that only helps another to train the row: it has no folder.
    """
    partial = row.folder.with_name(f".{row.folder.name}.{os.getpid()}.part")
    if writes:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    checkpoints = CHECKPOINTS / f"{row.name}-{fingerprint.digest()}"
    if checkpoints.exists() and not checkpoints.is_dir():
        checkpoints.unlink()
    return Attempt(row, fingerprint.identity(), partial, checkpoints, helps=not writes)


def finish(done: Attempt, fingerprint: Fingerprint) -> None:
    """What the attempt wrote becomes the row's folder, and is remembered in the store of finished
    rows; its checkpoints go."""
    (done.folder / FILE).write_text(fingerprint.text(done.folder), encoding="utf-8")
    finished.remember(done.folder, fingerprint.digest())
    shutil.rmtree(done.row.folder, ignore_errors=True)
    done.folder.replace(done.row.folder)
    shutil.rmtree(done.checkpoints, ignore_errors=True)


def restore(row: Row, fingerprint: Fingerprint) -> bool:
    """Whether the row was computed before and is back in its folder without being computed."""
    if not finished.knows(fingerprint.digest()):
        return False
    begun = attempt(row, fingerprint)
    with contextlib.suppress(FileNotFoundError):  # another process has just dropped it
        finished.recall(fingerprint.digest(), begun.folder)
    if not is_whole(begun.folder, fingerprint):  # links share what somebody wrote into a file
        shutil.rmtree(begun.folder)
        return False
    shutil.rmtree(row.folder, ignore_errors=True)
    begun.folder.replace(row.folder)
    shutil.rmtree(begun.checkpoints, ignore_errors=True)  # of a run killed after it remembered
    return True


def forget(row: Row, fingerprint: Fingerprint) -> None:
    """Lets a current row be computed again, because something has changed that is in no
    fingerprint; its files stay until others take their place."""
    finished.forget(fingerprint.digest())
    (row.folder / FILE).unlink()


def drop_stale() -> None:
    """Deletes the oldest checkpoints that nobody has gone on with for a day, as far as they take
    more room than finished rows may: a row that is changed or goes leaves its own behind."""
    old = [p for p in CHECKPOINTS.glob("*/") if time.time() - outputs.last_written(p) > DAY_S]
    outputs.drop_oldest(old, finished.limit())


def sweep(folder: Path) -> None:
    """Deletes what ended attempts left beside a row's folder; nobody else may write it now."""
    for partial in folder.parent.glob(f".{folder.name}.*.part"):
        shutil.rmtree(partial)


def keep_only(home: Path, rows: Iterable[Row]) -> None:
    """Deletes folders below `home` that belong to no row, and what killed attempts left there.

    Args:
        home: a folder whose entries are folders of rows, or folders of such folders.
    """
    folders = {row.folder for row in rows}
    above = {parent for folder in folders for parent in folder.parents}
    for path in sorted(home.glob("*/")):
        if path in above:
            keep_only(path, [row for row in rows if path in row.folder.parents])
        elif path not in folders:
            shutil.rmtree(path)


def write_index(home: Path, rows: Sequence[Row]) -> None:
    """rows.json: the SHA-256 of every file of every row, in one file for DVC to look at.

    Stages that read these rows depend on it alone: with hundreds of rows DVC would look at each of
    thousands of files once for every such stage.
    """
    home.mkdir(parents=True, exist_ok=True)
    index = {}
    for row in rows:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # a row that failed
            record = json.loads((row.folder / FILE).read_text(encoding="utf-8"))
            index[row.folder.relative_to(home).as_posix()] = record["files"]
    (home / "rows.json").write_text(json.dumps(index, indent=1, sort_keys=True) + "\n")


@dataclass(frozen=True)
class StoredRow:
    """The folder of a finished row; what its files hold is said by those who inherit from it."""

    folder: Path

    @property
    def key(self) -> str:
        """Key of the row."""
        return self.folder.name

    @property
    def identity(self) -> str:
        """Under which MLflow finds its run.

        Raises:
            UserError: row.json is missing or damaged.
        """
        file = self.folder / FILE
        try:
            return str(json.loads(file.read_text(encoding="utf-8"))["identity"])
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(f"{file} is missing or damaged; run `dvc repro`") from None
