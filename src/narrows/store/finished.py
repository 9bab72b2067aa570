"""Finished rows by fingerprint: one that was changed and changed back is not computed again.

.work/finished/<fingerprint>/ holds the files of a row, as hard links where the file system has
them, so that they take no room beside the row's own folder. The oldest go when all of them are
larger than `LIMIT` bytes.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil

from narrows.errors import UserError
from narrows.store import outputs
from narrows.store.outputs import WORK

FINISHED = WORK / "finished"
LIMIT = 10 * 2**30
"""Bytes; NARROWS_FINISHED_BYTES names another limit, 0 remembers nothing."""


def remember(folder: Path, fingerprint: str) -> None:
    """Links the files of a row into the store."""
    place = FINISHED / fingerprint
    if limit() == 0:
        return
    shutil.rmtree(place, ignore_errors=True)
    partial = FINISHED / f".{fingerprint}.{os.getpid()}.part"
    _link(folder, partial)
    partial.replace(place)


def knows(fingerprint: str) -> bool:
    """Whether the store has a row."""
    return (FINISHED / fingerprint).exists()


def recall(fingerprint: str, folder: Path) -> None:
    """Links the files of a row that the store has into the empty folder."""
    place = FINISHED / fingerprint
    os.utime(place)  # the last that was used is the last that goes
    _link(place, folder)


def forget(fingerprint: str) -> None:
    """Deletes a row from the store."""
    shutil.rmtree(FINISHED / fingerprint, ignore_errors=True)


def bound() -> None:
    """Deletes the oldest rows beyond the limit, and what killed processes have left. It looks at
    every row that is there, so it is called once for all rows of a stage."""
    for partial in FINISHED.glob(".*.part"):
        if not psutil.pid_exists(int(partial.name.split(".")[2])):  # of a process that was killed
            shutil.rmtree(partial, ignore_errors=True)
    outputs.drop_oldest(FINISHED.glob("*/"), limit())


def limit() -> int:
    """Bytes that the store may hold.

    Raises:
        UserError: NARROWS_FINISHED_BYTES is no number of bytes.
    """
    said = os.environ.get("NARROWS_FINISHED_BYTES") or str(LIMIT)
    if not said.isdecimal():
        raise UserError(f"NARROWS_FINISHED_BYTES is {said!r}; accepted are whole numbers from 0 on")
    return int(said)


def _link(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        try:
            os.link(file, target / file.name)
        except OSError:  # another file system, or one without links
            shutil.copy2(file, target / file.name)
