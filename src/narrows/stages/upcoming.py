"""Rows of a stage that have to be computed, each as soon as those are there that it reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from narrows.store import rows
from narrows.store.rows import Attempt, Fingerprint, Row


class Failure(NamedTuple):
    """A row that failed."""

    name: str
    """Its name."""
    why: str
    """A sentence."""


class Upcoming(Iterator[Attempt]):
    """Attempts at the rows that are neither current nor known from before.

    It stops where every other row waits for one that runs, and goes on after `end` was called for
    that: an engine asks again after each outcome. What others wait for begins first, and what has
    waited is next. Helpers of rows that run come where no row is ready.
    """

    def __init__(self, members: Sequence[Row]):
        read = {file.parent for row in members for file in row.reads}
        self._waiting = sorted(members, key=lambda row: row.folder not in read)
        self._ready: deque[Attempt] = deque()
        self._helpers: deque[Attempt] = deque()
        self._running: set[Path] = set()
        self._fingerprints: dict[str, Fingerprint] = {}
        self.failures: dict[Path, Failure] = {}
        """Why rows failed, by their folders."""
        self.n_known = 0
        """Number of rows that were stale and came back without being computed."""
        self._ready.extend(self._released())

    def __next__(self) -> Attempt:
        if self._ready:
            attempt = self._ready.popleft()
            self._running.add(attempt.row.folder)
            self._helpers.extend(self._helpers_of(attempt.row))
            return attempt
        if self._helpers:
            return self._helpers.popleft()
        raise StopIteration

    @property
    def n_left(self) -> int:
        """Number of rows that have not begun: those that are ready, and those that wait, some of
        which may turn out to be current."""
        return len(self._ready) + len(self._waiting)

    def end(self, attempt: Attempt, failure: Failure | None = None) -> None:
        """A row has ended; its files become the row's, or it has failed."""
        row = attempt.row
        if failure is None:
            rows.finish(attempt, self._fingerprints[row.name])
        else:
            self.failures[row.folder] = failure
        self._running.remove(row.folder)
        self._helpers = deque(a for a in self._helpers if a.row.folder != row.folder)
        self._ready.extendleft(self._released())

    def _helpers_of(self, row: Row) -> list[Attempt]:
        fingerprint = self._fingerprints[row.name]
        rows_of_helpers = [replace(row, call=call) for call in row.helpers]
        return [rows.attempt(helper, fingerprint, writes=False) for helper in rows_of_helpers]

    def _released(self) -> list[Attempt]:
        """Attempts at the rows that need no longer wait; takes these off the list."""
        attempts: list[Attempt] = []
        while True:
            held = self._running | {a.row.folder for a in [*self._ready, *attempts]}
            held |= {row.folder for row in self._waiting}
            released = [r for r in self._waiting if held.isdisjoint(f.parent for f in r.reads)]
            if not released:
                return attempts
            self._waiting = [row for row in self._waiting if row not in released]
            attempts += filter(None, map(self._attempt, released))

    def _attempt(self, row: Row) -> Attempt | None:
        """An attempt at a row; None where it is current, comes back, or cannot be computed because
        a row has failed."""
        failed = next((f.parent.name for f in row.reads if f.parent in self.failures), None)
        if failed is not None:
            self.failures[row.folder] = Failure(row.name, f"waits for {failed}, which has failed")
            return None
        fingerprint = self._fingerprints[row.name] = row.fingerprint()
        if rows.is_current(row, fingerprint):
            return None
        if rows.restore(row, fingerprint):
            self.n_known += 1
            return None
        return rows.attempt(row, fingerprint)
