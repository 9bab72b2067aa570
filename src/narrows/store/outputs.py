"""Outputs that appear whole or not at all, written by one process at a time."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import filelock

from narrows.errors import UserError
from narrows.store import project

WORK = Path(".work")
"""What is unfinished or can be made again; neither git nor DVC looks at it."""
LOCKS = WORK / "locks"


@contextlib.contextmanager
def output(folder: Path) -> Iterator[Path]:
    """Yields an empty folder that becomes `folder` if the block ends well, replacing an old one.

    It lies beside `folder`, so that one rename is enough on any file system.

    Raises:
        UserError: another process is writing this output.
    """
    with hold(folder):
        partial = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            yield partial
            shutil.rmtree(folder, ignore_errors=True)
            partial.replace(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keeps other processes from writing below a folder: a run that outlived its killed `dvc repro`
    must not write beside the next one. Nothing is left to remove by hand when a process dies.

    Raises:
        UserError: another process holds it.
    """
    name = folder.as_posix().strip("/").replace("/", "-")[-100:]  # it is the name of a file
    LOCKS.mkdir(parents=True, exist_ok=True)
    owner = LOCKS / f"{name}.pid"
    lock = filelock.FileLock(LOCKS / f"{name}.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        pid = owner.read_text() if owner.exists() else "unknown"
        raise UserError(
            f"{folder}: another process (pid {pid}) is writing it; wait for it or end it"
        ) from None
    with lock:
        owner.write_text(str(os.getpid()))
        yield


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """One process of this project at a time, experiments in copies of it included; others wait. The
    process that has it may take it again."""
    locks = project.root() / LOCKS
    locks.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(locks / f"{name}.lock", is_singleton=True):
        yield


def drop_oldest(places: Iterable[Path], limit: int) -> list[Path]:
    """Deletes those of some folders or files that were written longest ago, until the others hold
    at most `limit` bytes; returns the deleted ones. Other processes may delete some meanwhile."""
    aged = [(last_written(place), size_of(place), place) for place in places]
    excess, dropped = sum(size for _, size, _ in aged) - limit, []
    for _, size, place in sorted(aged):
        if excess <= 0:
            break
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)
        dropped.append(place)
        excess -= size
    return dropped


def last_written(folder: Path) -> float:
    """When the folder or a file in it was written last, in seconds since 1970; 0 if it is gone."""
    return max((status.st_mtime for status in _statuses(folder)), default=0.0)


def size_of(folder: Path) -> int:
    """Bytes of all files of a folder."""
    return sum(status.st_size for status in _statuses(folder) if stat.S_ISREG(status.st_mode))


def _statuses(folder: Path) -> Iterator[os.stat_result]:
    """The folder's own and those of all files below it."""
    paths = (Path(top, name) for top, _, names in os.walk(folder) for name in names)
    for path in itertools.chain([folder], paths):
        with contextlib.suppress(OSError):
            yield path.stat()
