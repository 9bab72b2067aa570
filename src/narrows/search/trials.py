"""Trials: rows of `autoencoders:` with values that Optuna draws, added to a study.

The study that they belong to lies in a database, so that any number of workers, on one machine or
many, now or next week, add trials to it. Its name holds a fingerprint of the search, its row, the
data and the seed: a changed search is another study, and trials never mix. Code is not in it
(docs/adr/0013).
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from narrows.config import search_space
from narrows.errors import UserError, say
from narrows.rendering import progress
from narrows.search import database, registry, studies, trial
from narrows.search.problem import Problem
from narrows.search.sampler import FreshSampler, RepeatableSampler
from narrows.search.trial import OpenLog


@dataclass(frozen=True)
class Limits:
    """When a worker ends."""

    n_finished: int | None
    """Number of finished trials that the study holds then; None for any number."""
    deadline: float | None
    """`time.time()` after which no epoch begins; None for never."""
    n_own: int | None = None
    """Number of trials that one worker finishes; None for any number."""
    patience: int | None = None
    """Number of finished trials of the study since one was the best; None for any number."""

    n_begun: int | None = None
    """Number of trials after whose beginning the worker begins none, unless one waits to be begun
    again; None for any number."""

    def passed(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.time() >= self.deadline

    def reached(self, n_finished: int) -> bool:
        """Whether so many finished trials are enough."""
        return self.n_finished is not None and n_finished >= self.n_finished

    def left_to_others(self, study: optuna.Study) -> bool:
        """Whether so many trials have begun that the others are none of this worker's."""
        return self.n_begun is not None and studies.have_begun(study, self.n_begun)

    def is_hopeless(self, study: optuna.Study) -> bool:
        """Whether so many trials have finished without a better one that no more is tried."""
        return self.patience is not None and studies.n_since_best(study) >= self.patience


MAX_BREAKS = 3
"""How often a worker goes on when its database broke off, since it has last finished a trial."""


def open_study(problem: Problem, storage: RDBStorage, seed: int | None = None) -> optuna.Study:
    """The problem's study, created where it is not there.

    Args:
        seed: makes the draws repeatable, however many workers have it. None draws anew in each
            process.
    """
    directions = [objective.module.DIRECTION for objective in problem.search.objectives]
    seed = None if seed is None else seed % 2**32  # numpy takes no larger one
    own = {name: v for part in problem.own.values() for name, v in (part or {}).items()}
    sampler = FreshSampler(registry.sampler(problem.search, seed), own)
    pruner = registry.pruner(problem.search)
    study = studies.open_study(storage, problem.study_name, directions, pruner, sampler)
    study.set_metric_names(list(problem.objectives))  # for optuna-dashboard
    if seed is not None:
        space = problem.search.space
        study.sampler = RepeatableSampler(
            study,
            sampler,
            draw=lambda trial: search_space.draw(space, trial),
            depends=lambda n, n_results: registry.depends(problem.search, n, n_results),
        )
    return study


def add_trials(problem: Problem, study: optuna.Study, limits: Limits, open_log: OpenLog) -> None:
    """Runs trials one after the other until a limit is reached; goes on with those left behind.

    Trials that other workers are running count as if they were finished, so that several workers
    do not overshoot; a worker then waits for them, because one may die. Where two begin the last
    one at the same time, the later is surplus: it fails before it draws anything. Workers with a
    seed begin trials in turn, and wait where the next draw depends on how those that run end.

    Raises:
        UserError: more trials fail than the search is to have.
    """
    with studies.turn(study):
        database.twice(lambda: optuna.storages.fail_stale_trials(study))
    n_failed, n_own, n_breaks = 0, 0, 0
    while not limits.passed() and n_own != limits.n_own:
        before = studies.begun(study)
        with ExitStack() as turn:
            try:
                ended = _next(problem, study, limits, open_log, turn)
            except database.ERRORS:
                n_breaks += 1
                if n_breaks > MAX_BREAKS:
                    raise
                say(f"search: {problem.key}: the database broke off; the trial is handed on")
                _give_back(study, before)
                continue
        if ended is None:
            return
        n_own += ended.state in studies.FINISHED
        n_breaks = 0 if ended.state in studies.FINISHED else n_breaks
        n_failed += ended.state == TrialState.FAIL and not studies.is_surplus(ended)
        if n_failed > max(3, problem.search.n_trials):
            message = f"{n_failed} trials failed, see their runs in MLflow"
            raise UserError(f"params.yaml: searches.{problem.key}: {message}")


def _next(
    problem: Problem, study: optuna.Study, limits: Limits, open_log: OpenLog, turn: ExitStack
) -> FrozenTrial | None:
    """The next trial, ended; None where there are enough, or the time is up."""
    while not limits.passed():
        turn.enter_context(studies.turn(study))
        states = [t.state for t in study.get_trials(deepcopy=False)]
        n_finished = sum(state in studies.FINISHED for state in states)
        n_running = states.count(TrialState.RUNNING)
        is_enough = limits.reached(n_finished) or limits.left_to_others(study)
        if is_enough or limits.is_hopeless(study):
            return None
        if limits.reached(n_finished + n_running) or studies.has_to_wait(study):
            optuna.storages.fail_stale_trials(study)
            turn.close()
            time.sleep(0.5)
            continue
        number = _run(problem, study, limits, open_log, turn)
        return study.get_trials(deepcopy=False)[number]
    return None


def _give_back(study: optuna.Study, before: int | None) -> None:
    """Hands the trial that this process has begun since `before` to the next one, if there is any;
    a database that is away is waited for."""
    begun = studies.begun(study)
    if begun is not None and begun != before:
        with studies.turn(study):
            database.twice(lambda: studies.leave(study, begun))


def _run(
    problem: Problem, study: optuna.Study, limits: Limits, open_log: OpenLog, turn: ExitStack
) -> int:
    """One trial from its draw to its values; returns its number. Others have their turn while it
    is trained."""
    numbers: list[int] = []  # of the trial, once it has begun
    has_ended, before = False, studies.begun(study)

    def objective(begun: optuna.Trial) -> tuple[float, ...]:
        nonlocal has_ended
        numbers.append(begun.number)
        database.mark(begun)
        if limits.n_finished is not None:
            studies.refuse_surplus(study, begun, limits.n_finished)
        name = f"{problem.key}, trial {begun.number}"
        turn.close()
        try:
            run = database.run_of(begun)
            record = study.get_trials(deepcopy=False)[begun.number]
            with progress.watch(name), open_log(begun.number, *run) as log:
                values = trial.values(problem, limits.passed, begun, record, log)
        except BaseException:  # Optuna marks it as failed before it is handed on
            turn.enter_context(studies.turn(study))
            raise
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
