"""What is done with many files, by several processes: Python's lock lets threads decode small
pictures hardly faster than a single one.

Only within `over_processes`, as in stages and commands: a process that is started imports the
script that runs, and a user's own may do all its work when it is imported.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import TypeVar

from narrows import engine
from narrows.engine import Slot

S = TypeVar("S")
T = TypeVar("T")
MANY = 8_000
"""Files from which on processes are worth their start."""
TOGETHER = 256
"""Files that a process is handed at once."""
PRELOADED = ("numpy", "PIL.Image")
_is_on: ContextVar[bool] = ContextVar("_is_on", default=False)


@contextlib.contextmanager
def over_processes() -> Iterator[None]:
    """Lets `of_many` start processes."""
    token = _is_on.set(True)
    try:
        yield
    finally:
        _is_on.reset(token)


def is_worth_it(n: int) -> bool:
    """Whether so many files are for `of_many`."""
    return _is_on.get() and n >= MANY


def of_many(use: Callable[[Sequence[S]], list[T]], items: Sequence[S]) -> Iterator[T]:
    """Results for the items, in their order.

    Args:
        use: results for some items; picklable, as items and results are.
    """
    parts = ((start, items[start : start + TOGETHER]) for start in range(0, len(items), TOGETHER))
    outcomes = engine.each(
        functools.partial(_used, use), parts, Slot(cores=1), preload=PRELOADED, is_here=True
    )
    early: dict[int, list[T]] = {}
    upcoming = 0
    for outcome in outcomes:
        if outcome.value is None:
            assert outcome.error is not None
            raise outcome.error
        early[outcome.row[0]] = outcome.value
        while upcoming in early:
            yield from early.pop(upcoming)
            upcoming += TOGETHER


def _used(use: Callable[[Sequence[S]], list[T]], part: tuple[int, Sequence[S]]) -> list[T]:
    return use(part[1])
