"""Where rows are computed: processes of this machine, a Ray cluster, or jobs of Slurm.

NARROWS_ENGINE names a file of this folder; `processes` is the default. All of them run picklable
tasks, replace workers that die, and say how each row ended, in the order in which rows end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, TypeVar

from narrows.engine._base import ONE_CORE, Files, Outcome, Peeked, Slot
from narrows.errors import UserError

__all__ = [
    "ENGINES",
    "HERE",
    "ONE_CORE",
    "Files",
    "Outcome",
    "Slot",
    "each",
    "is_elsewhere",
    "name",
]

R = TypeVar("R")
V = TypeVar("V")
HERE = "processes"
"""The engine that needs nothing but this machine."""
ENGINES = (HERE, "ray", "slurm")


def name() -> str:
    """The engine that NARROWS_ENGINE names.

    Raises:
        UserError: there is none of that name.
    """
    chosen = os.environ.get("NARROWS_ENGINE") or HERE
    if chosen not in ENGINES:
        raise UserError(f"NARROWS_ENGINE is {chosen!r}; accepted are {', '.join(ENGINES)}")
    return chosen


def is_elsewhere() -> bool:
    """Whether tasks run on other machines, which cannot read this one's files: a Ray that is
    started for them is here, a cluster at RAY_ADDRESS is not."""
    return name() == "slurm" or (name() == "ray" and "RAY_ADDRESS" in os.environ)


def _no_files(_: Any) -> Files:
    return Files()


def each(
    task: Callable[[R], V],
    rows: Iterable[R],
    slot: Slot = ONE_CORE,
    files: Callable[[R], Files] = _no_files,
    preload: Sequence[str] = (),
    n_at_once: int | None = None,
    is_here: bool = False,
) -> Iterator[Outcome[R, V]]:
    """Runs `task(row)` of every row and yields outcomes as rows end.

    Args:
        task: picklable, as its rows and results are; a module-level function or a partial of one.
        rows: after each outcome that the caller has dealt with they are asked for more, so an
            iterator may stop for as long as its next row waits for one that runs. With `n_at_once`,
            a row is taken only when there is room for it.
        slot: what one row occupies; as many rows run at once as there are slots.
        files: what a row reads and writes, for engines whose machines share no folder.
        preload: modules that every worker imports anyway; `processes` imports them once.
        n_at_once: number of rows that run at once, also where this machine has fewer cores; never
            more than GPUs or the cluster have room for.
        is_here: whether they run on this machine, whatever engine is named.

    Raises:
        UserError: the engine is not installed, not reached, or has no room for one slot.
    """
    module: Any = import_module(f"narrows.engine.{HERE if is_here else name()}")
    upcoming = Peeked(rows)
    if upcoming.has_first:  # no engine starts for no row
        yield from module.each(task, upcoming, slot, files, preload, n_at_once)
