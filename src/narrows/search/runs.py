"""A search's trials as MLflow runs: a parent for an invocation, a child for each trial."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from narrows import tracking
from narrows.data.prepared import Prepared
from narrows.data.unit import to_unit
from narrows.errors import say
from narrows.models.autoencoder import Autoencoder, reconstruct_all
from narrows.rendering import figures
from narrows.search.problem import Problem
from narrows.search.summary import Gains
from narrows.search.trial import OpenLog, TrialLog

EVERY_S = 1.0
"""Seconds between two looks at a trial that MLflow's page allows."""


@contextmanager
def start_search(problem: Problem, data: Prepared) -> Iterator[tuple[tracking.Run, OpenLog]]:
    """Starts the parent's run; yields it and what opens the runs of trials below it."""
    tags = {"stage": "search", "search": problem.key, "study": problem.study_name}
    name = f"{problem.key} search"
    with tracking.start_run(name, uuid.uuid4().hex, _data(data), tags) as parent:
        yield parent, trial_runs(problem, data, parent.id)


def trial_runs(problem: Problem, data: Prepared, parent: str | None) -> OpenLog:
    """What opens the run of a trial.

    Args:
        parent: id of the run below which those of the trials stand; None where nothing is tracked.
    """

    def open_log(number: int, run: str, resumes: bool) -> AbstractContextManager[TrialLog]:
        return _start_trial(problem, data, number, (run, resumes), parent)

    return open_log


def best(gains: Gains) -> dict[str, float]:
    """The best value of each objective and the speed, for the parent's run."""
    values = {
        f"best/{objective['name']}": objective["after"][objective["name"]]
        for objective in gains.objectives
        if objective["after"] is not None
    }
    return values | {"trials_per_hour": gains.finished_per_hour, "trials": len(gains.new)}


@contextmanager
def _start_trial(
    problem: Problem, data: Prepared, number: int, run: tuple[str, bool], parent: str | None
) -> Iterator[TrialLog]:
    tags = {"stage": "trial", "search": problem.key, "study": problem.study_name}
    tags["trial"] = str(number)
    name = f"{problem.key}-{number}"
    with tracking.start_run(name, run[0], _data(data), tags, run[1], parent) as begun:
        log = _RunLog(begun, data, f"{problem.key}: trial {number}")
        try:
            yield log
        finally:
            log.write_down()


def _data(data: Prepared) -> tracking.RunData:
    return tracking.RunData(data.name, data.digest, data.x.shape)


class _RunLog:
    """Logs a trial to its run, and its end to the screen."""

    def __init__(self, run: tracking.Run, data: Prepared, name: str):
        self.run, self.data, self.name = run, data, name
        self.waiting: list[tracking.Epoch] = []
        """Epochs of the last moment: a request for each takes as long as a small epoch."""
        self.due = 0.0
        """`time.monotonic()` from which on the next epoch is sent."""

    def log_row(self, row: dict[str, Any]) -> None:
        self.run.log_params({k: v for k, v in row.items() if k != "name"} | {"kind": row["name"]})

    def log_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        self.waiting.append((epoch, time.time_ns() // 1_000_000, metrics))
        if time.monotonic() >= self.due:
            self.write_down()

    def write_down(self) -> None:
        if self.waiting:
            self.run.log_epochs(self.waiting)
            self.waiting = []
            self.due = time.monotonic() + EVERY_S

    def log_pruned(self) -> None:
        self.run.set_tag("trial_state", "PRUNED")
        say(f"{self.name} pruned")

    def log_values(self, values: dict[str, float], model: Autoencoder) -> np.ndarray | None:
        self.run.set_tag("trial_state", "COMPLETE")
        self.run.log_metrics({f"objective/{name}": value for name, value in values.items()})
        stored = self.data.view()
        x = to_unit(stored).numpy()
        x_hat = reconstruct_all(model, stored).numpy()
        picture = None
        if figures.can_be_drawn(x.shape[1:]):
            picture = figures.reconstructions(x, x, x_hat)
            self.run.log_image("reconstructions", picture, step=0)
        message = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        say(f"{self.name}: {message}")
        return picture
