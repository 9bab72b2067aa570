"""Outputs that appear whole or not at all, written by one process at a time."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
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
    """One process of this project at a time, experiments in copies of it included; others wait."""
    locks = project.root() / LOCKS
    locks.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(locks / f"{name}.lock"):
        yield
