"""How far something is that takes longer than three seconds: a bar on a terminal, lines elsewhere.

`watch` names what runs and `part` what of it is being done. A thread looks at both now and then, so
that nothing that is computed waits for the display. What runs in a worker of a stage says it in
lines on a terminal, too: the bar there is that of the process that started it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from narrows.errors import say

if TYPE_CHECKING:
    from tqdm import tqdm

PATIENCE = 3.0
"""Seconds after which there is something to see. Lines follow whenever it takes twice as long."""
LONGEST = 600.0
"""Seconds between two lines, at most."""
REDRAWN = 0.2
"""Seconds after which a bar is drawn anew."""
COUNTED = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
UNCOUNTED = "{desc} {elapsed}"
T = TypeVar("T")


class Part:
    """What is being done; whoever does it sets `n`."""

    def __init__(self, what: str, total: int = 0):
        self.what, self.total, self.n = what, total, 0.0
        self.began = time.time()

    def __str__(self) -> str:
        return f"{self.what} {int(self.n):,} of {self.total:,}" if self.total else self.what


class _Watch:
    """Everything that is being done, the outermost first, and the thread that displays it."""

    def __init__(self, what: str, has_lines: bool):
        self.parts = [Part(what)]
        self.owner = threading.get_ident()
        self.is_over = threading.Event()
        has_bar = sys.stderr.isatty() and multiprocessing.parent_process() is None
        display = self._draw if has_bar else self._write if has_lines else None
        has_terminal = sys.gettrace() is not None  # a debugger
        self.display = None if has_terminal else display
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __str__(self) -> str:
        return ", ".join(map(str, self.parts.copy()))

    def start(self) -> None:
        if self.display:
            self.thread.start()

    def end(self) -> None:
        self.is_over.set()
        if self.display:
            self.thread.join()

    def _run(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody reads any more
            if self.display and not self.is_over.wait(PATIENCE):
                self.display()

    def _write(self) -> None:
        while True:
            seconds = time.time() - self.parts[0].began
            say(f"{self}, {_duration(seconds)}", on_stderr=True)
            if self.is_over.wait(min(seconds, LONGEST)):
                break

    def _draw(self) -> None:
        current = self.parts[-1]
        bar = _bar(current, str(self))
        while True:
            if current is not self.parts[-1]:
                bar.close()
                current = self.parts[-1]
                bar = _bar(current, str(self))
            bar.n = min(current.n, current.total)
            bar.set_description_str(str(self))  # which draws it
            if self.is_over.wait(REDRAWN):
                break
        bar.close()


_current: _Watch | None = None


@contextlib.contextmanager
def watch(what: str, has_lines: bool = True) -> Iterator[None]:
    """Displays `what` while it runs, where it takes longer than three seconds; within another
    watch it is a part of that.

    Args:
        has_lines: whether there are lines where there is no terminal: there are none to be where
            what is waited for writes its own.
    """
    global _current
    if _current is not None:
        with part(what):
            yield
        return
    own = _current = _Watch(what, has_lines)
    own.start()
    try:
        yield
    finally:
        own.end()
        _current = None


@contextlib.contextmanager
def part(what: str, total: int = 0) -> Iterator[Part]:
    """Names what is being done now, and how many there are of it where they are counted.

    Without a watch, or in another thread than that of the watch, nothing is displayed.
    """
    own, watched = Part(what, total), _current
    if watched is None or watched.owner != threading.get_ident():
        yield own
        return
    watched.parts.append(own)
    try:
        yield own
    finally:
        watched.parts.remove(own)


def counted(what: str, items: Iterable[T], total: int) -> Iterator[T]:
    """The items; how many of them are done is displayed."""
    with part(what, total) as own:
        for item in items:
            yield item
            own.n += 1


def _bar(part: Part, what: str) -> tqdm:
    from tqdm import tqdm

    columns, rows = shutil.get_terminal_size()  # not 0, as some terminals say
    bar = tqdm(
        desc=what,
        total=part.total or None,
        leave=False,
        file=sys.stderr,
        ncols=columns - 1,
        nrows=rows,
        bar_format=COUNTED if part.total else UNCOUNTED,
    )
    bar.start_t = part.began
    return bar


def _duration(seconds: float) -> str:
    """
    >>> _duration(48.2), _duration(700.0)
    ('48 s', '12 min')
    """
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
