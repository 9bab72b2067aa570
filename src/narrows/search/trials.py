"""Studies: rows of `autoencoders:` with values that Optuna draws, judged without a label.

A study is kept in a database, so that any number of workers, on one machine or many, now or next
week, add trials to it. Its name holds a fingerprint of the search, its row, the data and the seed:
a changed search is another study, and trials never mix. Code is not in it (docs/adr/0013).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import optuna
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState

from narrows.config import params, plugins, search_space
from narrows.config.params import Search
from narrows.data.on_disk import Samples
from narrows.data.prepared import Prepared
from narrows.errors import UserError
from narrows.models.autoencoder import Autoencoder
from narrows.search import studies
from narrows.search.objectives._base import Trained
from narrows.store import work
from narrows.training import fitting


class Stopped(KeyboardInterrupt):
    """The time is up, or a signal came: the trial is left as it is, for the next worker."""


@dataclass(frozen=True)
class Job:
    key: str
    """Of `searches`."""
    search: Search
    row: dict[str, Any]
    """The row that trials change, with every default."""
    dataset: str
    digest: str
    """Of the data."""
    train: Samples
    """(N, ...) as stored. The test split is not here, so no trial can see it."""
    val: Samples
    seed: int
    device: str

    @property
    def objectives(self) -> list[str]:
        """Their names, in the order of a trial's values."""
        return [objective.name for objective in self.search.objectives]

    @property
    def name(self) -> str:
        """Of the study: readable, and told apart from others by what its values depend on."""
        told = [plugins.resolved(self.search.objectives), str(self.search.space), self.row]
        fingerprint = work.fingerprint("search", self.key, [told, self.seed], self.digest)
        return f"{self.dataset}-{self.key}-{fingerprint[:8]}"


@dataclass(frozen=True)
class Limits:
    """When a worker ends."""

    n_finished: int | None
    """Finished trials that the study holds then; None for any number."""
    deadline: float | None
    """`time.time()` after which no epoch begins; None for never."""

    def passed(self) -> bool:
        return self.deadline is not None and time.time() >= self.deadline


class Watch(Protocol):
    """Is told of a trial while it runs."""

    def began(self, row: dict[str, Any]) -> None: ...

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None: ...

    def pruned(self) -> None: ...

    def judged(self, values: dict[str, float], model: Autoencoder) -> None: ...


Watching = Callable[[int, int], AbstractContextManager[Watch]]
"""Of a trial's number and that of the one which it retries; its own where it retries none."""


def job(p: params.Params, key: str, data: Prepared) -> Job:
    """The search `key` of params.yaml on the train and validation rows of the data."""
    chosen = p.searches[key]
    row = plugins.resolved(p.autoencoders[chosen.row])
    train, val = data.rows("train"), data.rows("val")
    return Job(key, chosen, row, data.name, data.digest, train, val, p.seed, p.device)


def study(job: Job, kept: RDBStorage, seed: int | None = None) -> optuna.Study:
    """The job's study, created where it is not there; `seed` as in `studies.opened`."""
    directions = [o.module.DIRECTION for o in job.search.objectives]
    found = studies.opened(kept, job.name, directions, job.search.pruner, seed)
    found.set_metric_names(list(job.objectives))  # for optuna-dashboard
    return found


def add_trials(job: Job, found: optuna.Study, limits: Limits, watching: Watching) -> None:
    """Runs trials one after the other until a limit is reached; goes on with those left behind.

    Trials that other workers are running count as if they were finished, so that several workers
    do not overshoot; a worker then waits for them, because one may die. Where two begin the last
    one at the same time, the later is surplus: it fails before it draws anything.

    Raises:
        UserError: more trials fail than are asked for.
    """
    optuna.storages.fail_stale_trials(found)
    n_failed = 0
    while not limits.passed():
        states = [t.state for t in found.get_trials(deepcopy=False)]
        finished = sum(state in studies.FINISHED for state in states)
        running = states.count(TrialState.RUNNING)
        if limits.n_finished is not None and finished >= limits.n_finished:
            return
        if limits.n_finished is not None and finished + running >= limits.n_finished:
            time.sleep(0.5)
            optuna.storages.fail_stale_trials(found)
            continue
        number = _run(job, found, limits, watching)
        ran = found.get_trials(deepcopy=False)[number]
        n_failed += ran.state == TrialState.FAIL and not studies.is_surplus(ran)
        if n_failed > max(3, job.search.n_trials):
            told = f"{n_failed} trials failed, see their runs in MLflow"
            raise UserError(f"params.yaml: searches.{job.key}: {told}")


def row_of(job: Job, trial: FrozenTrial) -> dict[str, Any]:
    """The row of `autoencoders:` that a finished trial was."""
    return search_space.changed(
        job.row, search_space.draw(job.search.space, optuna.trial.FixedTrial(trial.params))
    )


def _run(job: Job, found: optuna.Study, limits: Limits, watching: Watching) -> int:
    """One trial from its draw to its values; returns its number."""
    ran: list[int] = []

    def objective(trial: optuna.Trial) -> tuple[float, ...]:
        ran.append(trial.number)
        if limits.n_finished is not None:
            studies.refuse_surplus(found, trial, limits.n_finished)
        frozen = found.get_trials(deepcopy=False)[trial.number]
        retried = RetryHeartbeatStaleTrialCallback.retried_trial_number(frozen)
        first = trial.number if retried is None else retried
        with watching(trial.number, first) as watch:
            values = _values(job, limits, trial, first, watch)
        if values is None:
            raise optuna.TrialPruned
        return values

    try:
        found.optimize(objective, n_trials=1, catch=(UserError,))
    except (KeyboardInterrupt, SystemExit):  # before, in or after the objective; `Stopped`, too
        if ran:
            studies.leave(found, ran[-1])
        if not ran or not limits.passed():
            raise
    return ran[-1]


def _values(
    job: Job, limits: Limits, trial: optuna.Trial, first: int, watch: Watch
) -> tuple[float, ...] | None:
    """What the objectives say of a trial; None if it is pruned. It goes on where the `first` of
    those that it retries was."""
    raw = search_space.changed(job.row, search_space.draw(job.search.space, trial))
    row = params.plugin("autoencoders", raw)
    watch.began(raw)
    told = [plugins.resolved(row), job.seed, first]
    checkpoints = work.checkpoints("search", work.fingerprint("trial", job.name, told, job.digest))

    def on_epoch(epoch: int, metrics: dict[str, float], model: Autoencoder, layer: int = 0) -> None:
        if limits.passed():
            raise Stopped
        if layer or not metrics:
            return
        watch.epoch(epoch, metrics)
        if job.search.pruner != "none":
            trial.report(metrics["val/loss"], epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

    try:
        fitted = fitting.fit(
            row,
            job.train,
            job.val,
            seed=job.seed,
            device=job.device,
            work=checkpoints,
            on_epoch=on_epoch,
        )
    except optuna.TrialPruned:
        watch.pruned()
        fitted = None
    except (KeyboardInterrupt, SystemExit):  # Lightning makes the one of the other
        raise Stopped from None
    shutil.rmtree(checkpoints, ignore_errors=True)
    if fitted is None:
        return None
    trained = Trained(fitted.model, job.train, job.val, job.seed)
    values = {o.name: o.module.measure(o.config, trained) for o in job.search.objectives}
    watch.judged(values, trained.model)
    return tuple(values.values())
