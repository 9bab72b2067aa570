"""MLflow's store while it does not answer: asked once a minute by all processes, said once by each
stage."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from narrows.errors import say
from narrows.tracking import run, store, waiting

PAUSE_S = 60.0
"""Seconds for which nobody asks a store again that did not answer."""


@dataclass
class Outcome:
    """How a block ended."""

    is_absent: bool = False
    """Whether the store did not take what the block had for it."""


_is_told = False


def is_known() -> bool:
    """Whether the store was away less than `PAUSE_S` ago, for this process or another one."""
    try:
        return time.time() - _mark().stat().st_mtime < PAUSE_S
    except OSError:
        return False


def forget() -> None:
    """Lets the next one ask at once."""
    with contextlib.suppress(OSError):
        _mark().unlink()


@contextlib.contextmanager
def noticed() -> Iterator[Outcome]:
    """Goes on where the store does not take what the block has for it, and says so once."""
    outcome = Outcome()
    try:
        yield outcome
    except store.Away as error:
        outcome.is_absent = True
        _tell(str(error))
    except store.errors() as error:
        outcome.is_absent = True
        run.experiment_of.cache_clear()  # it may have been deleted
        _tell(f"MLflow's store {store.masked()} does not take a run: {store.said(error)}")


def remind() -> None:
    """Says that the store was away a moment ago, in a process that is nobody's worker."""
    if multiprocessing.parent_process() is None:
        _say_once(f"MLflow's store {store.masked()} did not answer a moment ago")


def _tell(sentence: str) -> None:
    is_new = not is_known()
    with contextlib.suppress(OSError):
        _mark().parent.mkdir(parents=True, exist_ok=True)
        _mark().touch()
    if is_new:
        waiting.bound()
        _say_once(sentence)


def _say_once(sentence: str) -> None:
    global _is_told
    if not _is_told:
        _is_told = True
        say(
            f"{sentence}; nothing else stops: runs wait in {waiting.home()} until `dvc repro` or a "
            "search finds it well"
        )


def _mark() -> Path:
    return waiting.home() / ".away"
