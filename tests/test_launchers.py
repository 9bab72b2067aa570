"""Workers that die are replaced as long as trials finish."""

import itertools
import pickle
from collections.abc import Iterator

import pytest

from narrows.errors import UserError
from narrows.search import workers
from narrows.search.launchers import _base, processes

DIES = ["-c", "raise SystemExit(3)"]


def counts(*numbers: int) -> Iterator[int]:
    """The numbers of finished trials, one after the other; the last again and again."""
    return itertools.chain(numbers, itertools.repeat(numbers[-1]))


def test_workers_that_die_are_not_replaced_for_ever(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="4 workers ended with errors"):
        processes.run(DIES, 1, 1, 0.0, counts(0).__next__)
    assert capfd.readouterr().out.count("another begins") == _base.MAX_RESTARTS


def test_a_finished_trial_makes_deaths_forgotten(capfd: pytest.CaptureFixture[str]) -> None:
    """The third death comes after a finished trial: it is the first of four again."""
    with pytest.raises(UserError, match="4 workers ended with errors"):
        processes.run(DIES, 1, 1, 0.0, counts(0, 0, 0, 1).__next__)
    assert capfd.readouterr().out.count("another begins") == 2 + _base.MAX_RESTARTS


def test_a_task_travels_between_processes() -> None:
    task = workers.WorkerTask("small", None, 3, None, n_threads=1, heartbeat=60)
    assert pickle.loads(pickle.dumps((workers.work, task))) == (workers.work, task)
