"""Workers: processes that add trials to one study side by side, each with a copy of the data."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from narrows import engine, tracking
from narrows.config.params import Params
from narrows.config.plugins import Plugin
from narrows.data import prepared
from narrows.engine import Files, Slot
from narrows.engine.processes import n_cores
from narrows.errors import UserError, print_traceback, say
from narrows.search import database, runs, trials
from narrows.search import problem as problems
from narrows.store import features
from narrows.tracking.recording import Recording

MAX_RESTARTS = 3
"""How many workers that fail are begun again, since a trial has last finished."""


@dataclass(frozen=True)
class WorkerTask:
    """What a worker is to do. The database's URL is not here but in NARROWS_STUDIES, because it may
    hold a password."""

    params: Params
    """All of params.yaml, as it was when the search began."""
    key: str
    """Key of its `searches`."""
    parent: str | None
    """Id of the MLflow run below which those of the trials stand; None where nothing is tracked."""
    limits: trials.Limits
    """When the search ends."""
    n_threads: int
    """Number of threads that PyTorch computes with."""
    heartbeat: int
    """Seconds between two signs of life of a running trial."""


def work(task: WorkerTask) -> list[Recording]:
    """Adds trials to the study until the limits; a plain function, so it can be pickled.

    A database that is away, now or later, is waited for up to the grace period.

    Returns:
        Runs that this process cannot log. It then ends with every finished trial, so that no more
        than one is lost with it.

    Raises:
        UserError: the database stays away, or more trials fail than the search is to have.
    """
    import torch

    torch.set_num_threads(task.n_threads)
    data = prepared.read(task.params.dataset.name, _row(task).config.input)
    problem = problems.problem(task.params, task.key, data)
    limits = replace(task.limits, n_own=1) if tracking.is_recorded() else task.limits
    url, patience = database.url(), database.grace_period(task.heartbeat)
    with database.explain_errors(url), tracking.record() as recordings:
        storage = database.open_storage(url, task.heartbeat, patience)
        study = trials.open_study(problem, storage)
        trials.add_trials(problem, study, limits, runs.trial_runs(problem, data, task.parent))
    return recordings


def threads_each(n_workers: int) -> int:
    """Number of threads for each of the workers that share this machine's cores."""
    return max(1, n_cores() // n_workers)


def run_workers(
    task: WorkerTask,
    n_workers: int,
    gpus: float,
    count: Callable[[], int],
    is_hopeless: Callable[[], bool],
    preload: Sequence[str],
) -> None:
    """Runs workers on the engine until the study has what it is to have.

    Workers that fail are begun again, as long as trials finish.

    Args:
        n_workers: how many run at once, if there is room for them.
        gpus: share of a GPU that a worker needs.
        count: tells how many trials have finished.
        is_hopeless: tells whether no trial has been better for so long that none is to follow.
        preload: modules that every worker imports.

    Raises:
        UserError: more workers failed than `MAX_RESTARTS` since a trial has last finished.
    """
    tasks = itertools.chain([task] * n_workers, _more(task, count, is_hopeless))
    slot, n_failed, n_finished = Slot(task.n_threads, gpus), 0, count()
    for outcome in engine.each(work, tasks, slot, _files, preload, n_workers):
        tracking.replay(outcome.value or [])
        if outcome.error is None:
            continue
        _explain(outcome.error)
        before, n_finished = n_finished, count()
        n_failed = 1 if n_finished > before else n_failed + 1
        if n_failed > MAX_RESTARTS:
            raise UserError(f"{n_failed} workers failed, the last one said: {outcome.error!s}")
        say("search: a worker failed, another begins")


def _more(
    task: WorkerTask, count: Callable[[], int], is_hopeless: Callable[[], bool]
) -> Iterator[WorkerTask]:
    """Tasks for workers that follow on others, as long as trials are missing."""
    while not (task.limits.passed() or task.limits.reached(count()) or is_hopeless()):
        yield task


def _files(task: WorkerTask) -> Files:
    """Samples and splits; the labels stay where they are."""
    name, input = task.params.dataset.name, _row(task).config.input
    return Files(features.data_files(name, input))


def _row(task: WorkerTask) -> Plugin:
    """The row whose values the search tries."""
    return task.params.autoencoders[task.params.searches[task.key].row]


def _explain(error: BaseException) -> None:
    """Says why a worker failed, with a traceback where it is no user's mistake."""
    if isinstance(error, UserError):
        print(f"search: {error}", file=sys.stderr, flush=True)
    else:
        print_traceback(error)
