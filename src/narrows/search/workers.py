"""Workers: processes that add trials to one study side by side, each with a copy of the data."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from dataclasses import dataclass

from narrows import errors
from narrows.config import params, plugins
from narrows.data import prepared
from narrows.search import database, runs, trials


@dataclass(frozen=True)
class WorkerTask:
    """What a worker is to do. The database's URL is not here but in NARROWS_STUDIES, because it may
    hold a password."""

    key: str
    """Key of `searches` in params.yaml."""
    parent: str | None
    """Id of the MLflow run below which those of the trials stand; None where nothing is tracked."""
    n_finished: int | None
    """Number of finished trials that the study holds in the end; None for any number."""
    deadline: float | None
    """`time.time()` after which no epoch begins; None for never."""
    n_threads: int
    """Number of threads that PyTorch computes with."""
    heartbeat: int
    """Seconds between two signs of life of a running trial."""


def work(task: WorkerTask) -> None:
    """Adds trials to the study until the task's limits; a plain function, so it can be pickled.

    A database that is away, now or later, is waited for up to the grace period.

    Raises:
        UserError: the database stays away, or more trials fail than the search is to have.
    """
    import torch

    torch.set_num_threads(task.n_threads)
    p = params.load()
    data = prepared.read(p.dataset.name)
    problem = trials.problem(p, task.key, data)
    url, patience = database.url(), database.grace_period(task.heartbeat)
    with database.explain_errors(url):
        study = trials.open_study(problem, database.open_storage(url, task.heartbeat, patience))
        limits = trials.Limits(task.n_finished, task.deadline)
        trials.add_trials(problem, study, limits, runs.trial_runs(problem, data, task.parent))


def threads_each(n_workers: int) -> int:
    """Number of threads for each of the workers that share this machine's cores."""
    return max(1, (os.cpu_count() or 1) // n_workers)


def run_workers(
    task: WorkerTask, n_workers: int, launcher: str, gpus: float, count: Callable[[], int]
) -> None:
    """Runs workers until all have ended well, wherever the launcher puts them.

    Args:
        launcher: a file in src/narrows/search/launchers/.
        gpus: share of a GPU that a worker needs.
        count: tells how many trials have finished; workers that die are replaced again and again
            as long as the number grows.
    """
    command = ["-m", "narrows.search.workers", json.dumps(dataclasses.asdict(task))]
    plugins.load("launchers", launcher).run(command, n_workers, task.n_threads, gpus, count)


def main(task: str) -> None:
    """A worker as a program.

    Args:
        task: a `WorkerTask` as JSON.
    """
    work(WorkerTask(**json.loads(task)))


if __name__ == "__main__":
    errors.run(main)
