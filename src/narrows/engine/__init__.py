"""Where rows are computed: processes of this machine, a Ray cluster, or jobs of Slurm.

NARROWS_ENGINE names a file of this folder; `processes` is the default. All of them run picklable
tasks, replace workers that die, and say how each row ended, in the order in which rows end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, TypeVar

from narrows.engine._base import ONE_CORE, Files, Outcome, Slot
from narrows.errors import UserError

__all__ = ["ENGINES", "ONE_CORE", "Files", "Outcome", "Slot", "each", "name"]

R = TypeVar("R")
V = TypeVar("V")
ENGINES = ("processes", "ray", "slurm")


def name() -> str:
    """The engine that NARROWS_ENGINE names.

    Raises:
        UserError: there is none of that name.
    """
    chosen = os.environ.get("NARROWS_ENGINE") or "processes"
    if chosen not in ENGINES:
        raise UserError(f"NARROWS_ENGINE is {chosen!r}; accepted are {', '.join(ENGINES)}")
    return chosen


def _no_files(_: Any) -> Files:
    return Files()


def each(
    task: Callable[[R], V],
    rows: Sequence[R],
    slot: Slot = ONE_CORE,
    files: Callable[[R], Files] = _no_files,
    preload: Sequence[str] = (),
) -> Iterator[Outcome[R, V]]:
    """Runs `task(row)` of every row and yields outcomes as rows end.

    Args:
        task: picklable, as its rows and results are; a module-level function or a partial of one.
        slot: what one row occupies; as many rows run at once as there are slots.
        files: what a row reads and writes, for engines whose machines share no folder.
        preload: modules that every worker imports anyway; `processes` imports them once.

    Raises:
        UserError: the engine is not installed, not reached, or has no room for one slot.
    """
    module: Any = import_module(f"narrows.engine.{name()}")
    if rows:
        yield from module.each(task, rows, slot, files, preload)
