"""Trials: rows of `autoencoders:` with values that Optuna draws, judged without a label.

The study that they belong to lies in a database, so that any number of workers, on one machine or
many, now or next week, add trials to it. Its name holds a fingerprint of the search, its row, the
data and the seed: a changed search is another study, and trials never mix. Code is not in it
(docs/adr/0013).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from narrows.config import params, plugins, search_space
from narrows.config.sections import Search
from narrows.data.on_disk import Samples
from narrows.data.prepared import Prepared
from narrows.errors import UserError, say
from narrows.models.autoencoder import Autoencoder
from narrows.rendering import progress
from narrows.search import database, studies
from narrows.search.objectives._base import Objective, Trained
from narrows.search.sampler import first_number
from narrows.store import code
from narrows.store.digests import name_of
from narrows.store.rows import CHECKPOINTS
from narrows.training import fitting


class Stopped(KeyboardInterrupt):
    """The time is up, or a signal came: the trial is left as it is, for the next worker."""


@dataclass(frozen=True)
class Problem:
    """What the trials of a study have to solve: a search and the data it may see."""

    key: str
    """Key of `searches` in params.yaml."""
    search: Search
    """The section of params.yaml below the key."""
    row: dict[str, Any]
    """The row of `autoencoders` that trials change, with every default."""
    dataset: str
    """Name of the data set."""
    digest: str
    """SHA-256 of the data and their splits."""
    train: Samples
    """(N, ...) as stored. The test split is not here, so no trial can see it."""
    val: Samples
    """(N, ...) as stored."""
    seed: int
    """Seed of weights, shuffling and noise."""
    device: str
    """Device that trials train on, as in params.yaml."""

    @property
    def objectives(self) -> list[str]:
        """Names of the objectives, in the order of a trial's values."""
        return [objective.name for objective in self.search.objectives]

    @property
    def study_name(self) -> str:
        """Name of the study: readable, with a fingerprint of all that its values depend on."""
        inputs = [plugins.resolved(self.search.objectives), str(self.search.space), self.row]
        fingerprint = name_of(["search", self.key, [inputs, self.seed], self.digest])
        return f"{self.dataset}-{self.key}-{fingerprint[:8]}"


@dataclass(frozen=True)
class Limits:
    """When a worker ends."""

    n_finished: int | None
    """Number of finished trials that the study holds then; None for any number."""
    deadline: float | None
    """`time.time()` after which no epoch begins; None for never."""
    n_own: int | None = None
    """Number of trials that one worker finishes; None for any number."""

    def passed(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.time() >= self.deadline

    def reached(self, n_finished: int) -> bool:
        """Whether so many finished trials are enough."""
        return self.n_finished is not None and n_finished >= self.n_finished


@runtime_checkable
class TrialLog(Protocol):
    """Writes down what happens in a trial."""

    def log_row(self, row: dict[str, Any]) -> None:
        """The row that the trial trains, when it begins."""

    def log_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Metrics of an epoch, counted from 1."""

    def log_pruned(self) -> None:
        """The trial was given up early."""

    def log_values(self, values: dict[str, float], model: Autoencoder) -> None:
        """Values of the objectives by their names, and the trained model, when it has ended."""


OpenLog = Callable[[int, str, bool], AbstractContextManager[TrialLog]]
"""Opens the log of a trial, given its number, what its run is found by, and whether it goes on in
the run of a trial that it retries."""
MAX_BREAKS = 3
"""How often a worker goes on when its database broke off, since it has last finished a trial."""


def problem(p: params.Params, key: str, data: Prepared) -> Problem:
    """The search `key` of params.yaml on the train and validation rows of the data."""
    search = p.searches[key]
    row = plugins.resolved(p.autoencoders[search.row])
    train, val = data.samples("train"), data.samples("val")
    return Problem(key, search, row, data.name, data.digest, train, val, p.seed, p.device)


def open_study(problem: Problem, storage: RDBStorage, seed: int | None = None) -> optuna.Study:
    """The problem's study, created where it is not there.

    Args:
        seed: makes the draws repeatable, for a worker that is alone: several would draw the same.
            None draws anew in each process.
    """
    directions = [_module(o).DIRECTION for o in problem.search.objectives]
    study = studies.open_study(storage, problem.study_name, directions, problem.search.pruner)
    study.set_metric_names(list(problem.objectives))  # for optuna-dashboard
    if seed is not None:
        studies.seed_draws(study, seed, lambda t: search_space.draw(problem.search.space, t))
    return study


def add_trials(problem: Problem, study: optuna.Study, limits: Limits, open_log: OpenLog) -> None:
    """Runs trials one after the other until a limit is reached; goes on with those left behind.

    Trials that other workers are running count as if they were finished, so that several workers
    do not overshoot; a worker then waits for them, because one may die. Where two begin the last
    one at the same time, the later is surplus: it fails before it draws anything. A worker with a
    seed waits for all of them before it draws, because its draws depend on how they end.

    Raises:
        UserError: more trials fail than the search is to have.
    """
    database.twice(lambda: optuna.storages.fail_stale_trials(study))
    n_failed, n_own, n_breaks = 0, 0, 0
    while not limits.passed() and n_own != limits.n_own:
        before = studies.begun(study)
        try:
            trial = _next(problem, study, limits, open_log)
        except database.ERRORS:
            n_breaks += 1
            if n_breaks > MAX_BREAKS:
                raise
            say(f"search: {problem.key}: the database broke off; the trial is handed on")
            _give_back(study, before)
            continue
        if trial is None:
            return
        n_own += trial.state in studies.FINISHED
        n_breaks = 0 if trial.state in studies.FINISHED else n_breaks
        n_failed += trial.state == TrialState.FAIL and not studies.is_surplus(trial)
        if n_failed > max(3, problem.search.n_trials):
            message = f"{n_failed} trials failed, see their runs in MLflow"
            raise UserError(f"params.yaml: searches.{problem.key}: {message}")


def _next(
    problem: Problem, study: optuna.Study, limits: Limits, open_log: OpenLog
) -> FrozenTrial | None:
    """The next trial, ended; None where there are enough, or the time is up."""
    while not limits.passed():
        states = [t.state for t in study.get_trials(deepcopy=False)]
        n_finished = sum(state in studies.FINISHED for state in states)
        n_running = states.count(TrialState.RUNNING)
        if limits.reached(n_finished):
            return None
        if limits.reached(n_finished + n_running) or (n_running and studies.has_seed(study)):
            time.sleep(0.5)
            optuna.storages.fail_stale_trials(study)
            continue
        number = _run(problem, study, limits, open_log)
        return study.get_trials(deepcopy=False)[number]
    return None


def _give_back(study: optuna.Study, before: int | None) -> None:
    """Hands the trial that this process has begun since `before` to the next one, if there is any;
    a database that is away is waited for."""
    begun = studies.begun(study)
    if begun is not None and begun != before:
        database.twice(lambda: studies.leave(study, begun))


def row_of(problem: Problem, trial: FrozenTrial) -> dict[str, Any]:
    """The row of `autoencoders:` that a finished trial was."""
    params = optuna.trial.FixedTrial(trial.params)
    return search_space.changed(problem.row, search_space.draw(problem.search.space, params))


def _run(problem: Problem, study: optuna.Study, limits: Limits, open_log: OpenLog) -> int:
    """One trial from its draw to its values; returns its number."""
    numbers: list[int] = []  # of the trial, once it has begun
    has_ended, before = False, studies.begun(study)

    def objective(trial: optuna.Trial) -> tuple[float, ...]:
        nonlocal has_ended
        numbers.append(trial.number)
        database.mark(trial)
        if limits.n_finished is not None:
            studies.refuse_surplus(study, trial, limits.n_finished)
        run = database.run_of(trial)
        record = study.get_trials(deepcopy=False)[trial.number]
        name = f"{problem.key}, trial {trial.number}"
        with progress.watch(name), open_log(trial.number, *run) as log:
            values = _values(problem, limits, trial, record, log)
        has_ended = True
        if values is None:
            raise optuna.TrialPruned
        return values

    try:
        study.optimize(objective, n_trials=1, catch=(UserError,))
    except (KeyboardInterrupt, SystemExit):  # before, in or after the objective; `Stopped`, too
        _give_back(study, before)
        if not numbers or not limits.passed():
            raise
    except (AssertionError, ValueError):  # of `tell`: another worker took the trial for dead
        if not has_ended:
            raise
        print(f"search: trial {numbers[-1]} was silent for too long and is repeated", flush=True)
    return numbers[-1]


def _values(
    problem: Problem, limits: Limits, trial: optuna.Trial, record: FrozenTrial, log: TrialLog
) -> tuple[float, ...] | None:
    """What the objectives say of a trial; None if it is pruned. A retry goes on where the first
    attempt was, whose reports to the pruner stand in its `record`."""
    raw = search_space.changed(problem.row, search_space.draw(problem.search.space, trial))
    row = params.plugin("autoencoders", raw)
    log.log_row(raw)
    inputs = [plugins.resolved(row), problem.seed, first_number(record)]
    modules = [fitting.__name__, *(plugin.module_name for plugin in plugins.selected(row))]
    name = name_of([problem.study_name, inputs, problem.digest, code.digest(modules)])
    checkpoints = CHECKPOINTS / f"trial-{name[:32]}"

    def on_epoch(epoch: int, metrics: dict[str, float], model: Autoencoder, layer: int = 0) -> None:
        if limits.passed():
            raise Stopped
        if layer or not metrics:
            return
        log.log_epoch(epoch, metrics)
        if problem.search.pruner != "none":
            if epoch not in record.intermediate_values:
                trial.report(metrics["val/loss"], epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

    try:
        fitted = fitting.fit(
            row,
            problem.train,
            problem.val,
            seed=problem.seed,
            device=problem.device,
            work=checkpoints,
            on_epoch=on_epoch,
        )
    except optuna.TrialPruned:
        log.log_pruned()
        fitted = None
    except (KeyboardInterrupt, SystemExit):  # Lightning makes the one of the other
        raise Stopped from None
    shutil.rmtree(checkpoints, ignore_errors=True)
    if fitted is None:
        return None
    trained = Trained(fitted.model, problem.train, problem.val, problem.seed)
    values = {o.name: _module(o).measure(o.config, trained) for o in problem.search.objectives}
    log.log_values(values, trained.model)
    return tuple(values.values())


def _module(objective: plugins.Plugin) -> Objective:
    module: Objective = objective.module
    return module
