"""What all engines share: what a row occupies, what it reads and writes, how it ended."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

R = TypeVar("R")
V = TypeVar("V")

REMOTE = "NARROWS_REMOTE"
"""Environment variable that is set where a task runs away from the project's own processes."""
MAX_ATTEMPTS = 3
"""How often a row is begun again whose worker died, by a lack of memory for instance."""


@dataclass(frozen=True)
class Slot:
    """What one row occupies while it runs."""

    cores: int | None = None
    """Processor cores, and threads of its numerical libraries; None takes OMP_NUM_THREADS, or 1."""
    gpus: float = 0.0
    """Share of a GPU; 1 is a whole one that no other row sees."""

    def threads(self) -> int:
        """Cores of the slot as a number."""
        return self.cores or int(os.environ.get("OMP_NUM_THREADS") or 1)


ONE_CORE = Slot()


@dataclass(frozen=True)
class Files:
    """Files of a row, relative to the project's folder."""

    reads: tuple[Path, ...] = ()
    """Files that have to be there before it runs."""
    writes: Path | None = None
    """The folder that it leaves."""


@dataclass(frozen=True)
class Outcome(Generic[R, V]):
    """How a row ended."""

    row: R
    value: V | None = None
    """What its task returned; None where it failed."""
    error: BaseException | None = None
    """What its task raised."""


class Peeked(Iterator[R]):
    """Rows of which the first has been looked at. It may stop and go on later, as they may."""

    def __init__(self, rows: Iterable[R]):
        self._rows = iter(rows)
        self._first = deque(islice(self._rows, 1))
        self.has_first = bool(self._first)
        """Whether there was a row at the beginning."""

    def __next__(self) -> R:
        return self._first.popleft() if self._first else next(self._rows)
