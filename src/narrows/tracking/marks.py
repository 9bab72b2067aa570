"""Moments that all processes of a project know of: the times of files in .work/unlogged/."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from narrows.store import project
from narrows.store.outputs import WORK

PAUSE_S = 60.0
"""Seconds for which a mark counts."""


def home() -> Path:
    """Their folder, in the project itself, also for experiments in a copy of it."""
    return project.root() / WORK / "unlogged"


def is_recent(name: str) -> bool:
    """Whether a process left this mark less than `PAUSE_S` ago."""
    try:
        return time.time() - _file(name).stat().st_mtime < PAUSE_S
    except OSError:
        return False


def leave(name: str) -> None:
    """Leaves a mark; a disk that takes none is no reason to stop."""
    with contextlib.suppress(OSError):
        _file(name).parent.mkdir(parents=True, exist_ok=True)
        _file(name).touch()


def remove(name: str) -> None:
    """Takes a mark away, if it is there."""
    with contextlib.suppress(OSError):
        _file(name).unlink()


def _file(name: str) -> Path:
    return home() / f".{name}"
