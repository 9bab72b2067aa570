"""Rows as jobs of Slurm, by submitit; the project's folder is one that all nodes share.

NARROWS_SLURM holds sbatch's options by submitit's names, `slurm_partition=gpu,timeout_min=240` for
instance. A job that Slurm preempts or that runs out of time is queued again and resumes from its
checkpoints. submitit's scripts and the output of jobs lie in .work/slurm/.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from narrows.engine._base import REMOTE, Files, Outcome, Slot
from narrows.errors import UserError

R = TypeVar("R")
V = TypeVar("V")
OPTIONS = "NARROWS_SLURM"
FOLDER = Path(".work/slurm")
POLL = 2.0
"""Seconds between two looks at the jobs."""


def each(
    task: Callable[[R], V],
    rows: Iterable[R],
    slot: Slot,
    files: Callable[[R], Files],
    preload: Sequence[str],
    n_at_once: int | None,
) -> Iterator[Outcome[R, V]]:
    """As `narrows.engine.each`."""
    executor, upcoming = make_executor(slot), iter(rows)
    with executor.batch():  # one array of jobs
        first = islice(upcoming, n_at_once)
        jobs = {executor.submit(_Requeued(), task, row): row for row in first}
    try:
        while jobs:
            ended = [job for job in jobs if job.done()]
            for job in ended:
                row = jobs.pop(job)
                error = job.exception()
                yield Outcome(row, error=error) if error else Outcome(row, job.result())
                for row in islice(upcoming, n_at_once and 1):
                    jobs[executor.submit(_Requeued(), task, row)] = row
            if not ended:
                time.sleep(POLL)
    finally:
        for job in jobs:
            job.cancel()


def make_executor(slot: Slot) -> Any:
    """submitit's executor with the options of NARROWS_SLURM.

    Raises:
        UserError: submitit is not installed, sbatch is not there, or an option is not known.
    """
    try:
        import submitit
    except ImportError:
        raise UserError("NARROWS_ENGINE is slurm: pip install 'narrows[slurm]'") from None
    options = parse_options(os.environ.get(OPTIONS, ""))
    cluster = options.pop("cluster", "slurm")
    try:
        executor = submitit.AutoExecutor(FOLDER, cluster=cluster)
        executor.update_parameters(name="narrows", cpus_per_task=slot.threads(), **options)
        if slot.gpus:
            executor.update_parameters(gpus_per_node=max(1, round(slot.gpus)))
    except (RuntimeError, NameError, TypeError, ValueError) as error:
        message = str(error).strip().splitlines()[0]
        raise UserError(f"NARROWS_ENGINE is slurm, {OPTIONS} is {options}: {message}") from None
    return executor


def parse_options(text: str) -> dict[str, Any]:
    """
    >>> parse_options("slurm_partition=gpu,timeout_min=240")
    {'slurm_partition': 'gpu', 'timeout_min': 240}
    """
    options: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, separator, value = part.partition("=")
        if not separator:
            raise UserError(f"{OPTIONS}: {part!r} is no option; accepted are name=value, ...")
        options[name.strip()] = int(value) if value.isdecimal() else value
    return options


class _Requeued:
    """Runs a task of a row; submitit submits it again when Slurm takes the node away."""

    def __call__(self, task: Callable[[R], V], row: R) -> V:
        os.environ[REMOTE] = "1"
        return task(row)

    def checkpoint(self, task: Callable[[R], V], row: R) -> Any:
        """What is submitted again; called by submitit in the job that ends."""
        import submitit

        return submitit.helpers.DelayedSubmission(self, task, row)
