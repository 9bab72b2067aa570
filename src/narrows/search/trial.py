"""A trial from its row to its values: trained from each seed, and judged without a label."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol, runtime_checkable

import numpy as np
import optuna
from optuna.trial import FrozenTrial

from narrows.config import params, plugins, search_space
from narrows.config.plugins import Plugin
from narrows.models.autoencoder import Autoencoder
from narrows.search import pictures
from narrows.search.objectives._base import Objective, Trained
from narrows.search.problem import Problem
from narrows.search.sampler import first_number
from narrows.store import code
from narrows.store.digests import name_of
from narrows.store.rows import CHECKPOINTS
from narrows.training import fitting
from narrows.training.fitting import Fitted


class Stopped(KeyboardInterrupt):
    """The time is up, or a signal came: the trial is left as it is, for the next worker."""


@runtime_checkable
class TrialLog(Protocol):
    """Writes down what happens in a trial."""

    def log_row(self, row: dict[str, Any]) -> None:
        """The row that the trial trains, when it begins."""

    def log_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Metrics of an epoch, counted from 1; of several seeds those of the first. They may wait
        until `write_down`."""

    def write_down(self) -> None:
        """Writes what has waited: a checkpoint follows, behind which a retry goes on."""

    def log_pruned(self) -> None:
        """The trial was given up early."""

    def log_values(self, values: dict[str, float], model: Autoencoder) -> np.ndarray | None:
        """Values of the objectives by their names, and the trained model, when it has ended; of
        several seeds that of the last. Returns a picture (H, W, 3) of what the model reconstructs,
        where such samples can be drawn."""


OpenLog = Callable[[int, str, bool], AbstractContextManager[TrialLog]]
"""Opens the log of a trial, given its number, what its run is found by, and whether it goes on in
the run of a trial that it retries."""


def values(
    problem: Problem,
    is_late: Callable[[], bool],
    trial: optuna.Trial,
    record: FrozenTrial,
    log: TrialLog,
) -> tuple[float, ...] | None:
    """What the objectives say of a trial, means over its seeds; None if it is pruned.

    Args:
        problem: what the study has to solve.
        is_late: says, before an epoch, that none is to begin any more.
        trial: draws the row, and takes what the pruner compares.
        record: the trial as the study has it. A retry goes on where the first attempt was, whose
            reports to the pruner stand there.
        log: where the trial is written down.

    Raises:
        Stopped: it is late, or a signal came.
    """
    raw = search_space.changed(problem.row, search_space.draw(problem.search.space, trial))
    row = params.plugin("autoencoders", raw)
    log.log_row(raw)
    folder, seconds = _checkpoints(problem, row, record), 0.0
    by_seed: list[dict[str, float | None]] = []
    try:
        for fitted, trained in _trainings(problem, is_late, row, folder, (trial, record, log)):
            seconds += fitted.seconds
            by_seed.append(
                {o.name: _module(o).measure(o.config, trained) for o in problem.search.objectives}
            )
            _compare_seeds(problem, trial, record, by_seed)
    except optuna.TrialPruned:
        log.log_pruned()
        shutil.rmtree(folder, ignore_errors=True)
        return None
    except (KeyboardInterrupt, SystemExit):  # Lightning makes the one of the other
        raise Stopped from None
    shutil.rmtree(folder, ignore_errors=True)
    _set_constraints(problem, trial, {"code_size": float(row.config.code_size), "seconds": seconds})
    means = {name: _mean([measured[name] for measured in by_seed]) for name in problem.objectives}
    picture = log.log_values(means, trained.model)
    if picture is not None:
        pictures.attach(trial, picture)
    return tuple(means.values())


def _checkpoints(problem: Problem, row: Plugin, record: FrozenTrial) -> Path:
    """Folder of the trial's checkpoints, which a retry finds again."""
    inputs = [plugins.resolved(row), problem.seed, first_number(record)]
    modules = [fitting.__name__, *(plugin.module_name for plugin in plugins.selected(row))]
    name = name_of([problem.study_name, inputs, problem.digest, code.digest(modules)])
    return CHECKPOINTS / f"trial-{name[:32]}"


def _trainings(
    problem: Problem,
    is_late: Callable[[], bool],
    row: Plugin,
    folder: Path,
    about: tuple[optuna.Trial, FrozenTrial, TrialLog],
) -> Iterator[tuple[Fitted, Trained]]:
    """Trains the row from one seed after the other. Those that had ended before an interruption
    are read from their checkpoints."""
    trial, record, log = about
    rival, is_alone = None, len(problem.seeds) == 1
    for n, seed in enumerate(problem.seeds):

        def on_epoch(
            epoch: int, metrics: dict[str, float], model: Autoencoder, layer: int = 0, n: int = n
        ) -> None:
            if is_late():
                raise Stopped
            if layer or not metrics or n:
                return
            log.log_epoch(epoch, metrics)
            if problem.search.pruner != "none" and is_alone:
                _compare(trial, record, epoch, metrics["val/loss"])

        fitted = fitting.fit(
            row,
            problem.train,
            problem.val,
            seed=seed,
            device=problem.device,
            work=folder / f"seed-{seed}",
            on_epoch=on_epoch,
            before_checkpoint=log.write_down,
        )
        yield fitted, Trained(fitted.model, problem.train, problem.val, seed, rival)
        rival = fitted.model


def _compare_seeds(
    problem: Problem,
    trial: optuna.Trial,
    record: FrozenTrial,
    by_seed: list[dict[str, float | None]],
) -> None:
    """Lets the pruner look at the value of the newest seed, where there are several."""
    value = by_seed[-1][problem.objectives[0]]
    if problem.search.pruner != "none" and len(problem.seeds) > 1 and value is not None:
        _compare(trial, record, len(by_seed), value)


def _compare(trial: optuna.Trial, record: FrozenTrial, step: int, value: float) -> None:
    """Reports a value to the pruner; raises `optuna.TrialPruned` if that gives the trial up."""
    if step not in record.intermediate_values:
        trial.report(value, step)
    if trial.should_prune():
        raise optuna.TrialPruned


def _set_constraints(problem: Problem, trial: optuna.Trial, sizes: dict[str, float]) -> None:
    """Writes into the trial by how much it exceeds each constraint."""
    for name, largest in problem.search.constraints.items():
        if name not in trial.constraints:  # which a retry has inherited
            trial.set_constraint(name, sizes[name] - largest)


def _mean(values: list[float | None]) -> float:
    """Mean of what there is."""
    return fmean(value for value in values if value is not None)


def _module(objective: Plugin) -> Objective:
    module: Objective = objective.module
    return module
