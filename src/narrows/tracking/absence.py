"""MLflow's store while it does not answer: asked once a minute by all processes, said once by each
stage."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass

from narrows.errors import say
from narrows.tracking import marks, run, store, waiting

AWAY = "away"


@dataclass
class Outcome:
    """How a block ended."""

    is_absent: bool = False
    """Whether the store did not take what the block had for it."""


_is_told = False


def is_known() -> bool:
    """Whether the store was away a moment ago, for this process or another one."""
    return marks.is_recent(AWAY)


def forget() -> None:
    """Lets the next one ask at once."""
    marks.remove(AWAY)


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
    marks.leave(AWAY)
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
