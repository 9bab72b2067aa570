"""Draws of a search: the first trial is the row itself, and those of a search that has a seed are
the same however often the search is stopped and started."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, PartialFixedSampler
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState

SURPLUS = "surplus"  # user attribute of a trial that was not needed
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
Space = dict[str, BaseDistribution]


def first_number(trial: FrozenTrial) -> int:
    """Number of the trial that this one retries; its own where it retries none."""
    number = RetryHeartbeatStaleTrialCallback.retried_trial_number(trial)
    return trial.number if number is None else number


def history(study: optuna.Study, before: int) -> list[FrozenTrial]:
    """What has become of the original trials with numbers below `before`, in their order.

    Originals are trials that retry no other and are not surplus. One that was retried stands here
    as its last retry.
    """
    last: dict[int, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False):
        if SURPLUS not in trial.user_attrs:
            last[first_number(trial)] = trial
    return [last[number] for number in sorted(last) if number < before]


class FreshSampler(BaseSampler):
    """One of Optuna's samplers, whose draws are other ones in each process. The study's first trial
    has parameters of its own: no worker has to put them into a queue, which several might do."""

    begun: int | None = None
    """Number of the trial that this process began last."""

    def __init__(self, sampler: BaseSampler, own: Mapping[str, Any]):
        """
        Args:
            sampler: what draws all other parameters.
            own: parameters of the first trial; what is missing there is drawn.
        """
        self._sampler, self._first = sampler, PartialFixedSampler(dict(own), sampler)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Notes which trial has begun."""
        self.begun = trial.number
        self._of(trial).before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> Space:
        """What the sampler draws at once."""
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: Space
    ) -> dict[str, Any]:
        """Parameters that the sampler draws at once."""
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A parameter that the sampler draws alone."""
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: optuna.Study, trial: FrozenTrial, *outcome: Any) -> None:
        """Lets the sampler know how a trial has ended."""
        self._of(trial).after_trial(study, trial, *outcome)

    def _of(self, trial: FrozenTrial) -> BaseSampler:
        return self._first if first_number(trial) == 0 else self._sampler


class RepeatableSampler(BaseSampler):
    """One of Optuna's samplers, whose draw for the n-th original trial depends on the seed, on n
    and on what the originals before it came to, and on nothing else.

    A sampler's random state goes on from draw to draw, and some write notes into their study; both
    end with a process or come in another order after a kill. So a new process draws again what the
    earlier ones drew, in a study in memory to which it tells what came of each; a retry of a trial
    that died amid its draw is given what the trial would have been given. Trials may run side by
    side as long as no draw depends on how those before it end; they end in the replay in the order
    in which they began.
    """

    begun: int | None = None
    """Number of the trial that this process began last."""

    def __init__(
        self,
        study: optuna.Study,
        sampler: FreshSampler,
        draw: Callable[[optuna.Trial], Mapping[str, Any]],
        depends: Callable[[int, int], bool],
    ):
        """
        Args:
            study: the study that the sampler draws for, whole where Hyperband shows only a part.
            sampler: what draws, in its first state, with a seed.
            draw: asks a trial for all its parameters.
            depends: says whether the n-th draw depends on trials that still run, of n and of the
                number of results before the first of them.
        """
        self._study, self._sampler, self._draw, self._depends = study, sampler, draw, depends
        self._replay = optuna.create_study(
            study_name=study.study_name,  # Hyperband looks at it
            directions=study.directions,
            sampler=sampler,
            pruner=study.pruner,
        )
        self._open: deque[optuna.Trial] = deque()  # the last ones of the replay, not ended there
        self._draws: list[dict[str, Any]] = []  # of the originals, in their order
        self._params: dict[str, Any] = {}  # of the trial that runs

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Draws all parameters of the trial, and those of earlier originals if it has not yet."""
        self.begun = trial.number
        earlier = history(self._study, before=first_number(trial))
        while len(self._draws) <= len(earlier):
            self._end_all(earlier[: len(self._draws)])
            replayed = self._replay.ask()
            self._draw(replayed)
            self._open.append(replayed)
            self._draws.append(replayed.params)
        self._params = self._draws[len(earlier)]

    def has_to_wait(self) -> bool:
        """Whether the next draw depends on how a trial ends that still runs."""
        trials = self._study.get_trials(deepcopy=False)
        waiting = [first_number(t) for t in trials if t.state == TrialState.WAITING]
        earlier = history(self._study, before=waiting[0] if waiting else len(trials))
        ended = list(itertools.takewhile(lambda t: t.state.is_finished(), earlier))
        n_results = sum(t.state in FINISHED for t in ended)
        runs = any(t.state == TrialState.RUNNING for t in earlier)
        return runs and self._depends(len(earlier), n_results)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> Space:
        """Empty: every parameter is asked for by `sample_independent`."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: Space
    ) -> dict[str, Any]:
        """Empty, as above."""
        return {}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The parameter as it was drawn before the trial."""
        if param_name in self._params:
            return self._params[param_name]
        # a worker without a seed began this trial: its layers may be more than those drawn here
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def _end_all(self, originals: list[FrozenTrial]) -> None:
        """Lets trials of the replay end whose originals have ended, up to the first that has
        not."""
        for original in originals[len(self._draws) - len(self._open) :]:
            if not original.state.is_finished():
                return
            self._end(self._open.popleft(), original)

    def _end(self, trial: optuna.Trial, ended: FrozenTrial) -> None:
        """Lets a trial of the replay end as the original that it stands for has ended."""
        if ended.params != trial.params:  # a worker without a seed drew it
            self._replay.tell(trial, state=TrialState.FAIL)
            if ended.state in FINISHED:
                self._replay.add_trial(ended)
            return
        for step, value in ended.intermediate_values.items():
            trial.report(value, step)
        for key, excess in ended.constraints.items():
            trial.set_constraint(key, excess)
        if ended.state == TrialState.COMPLETE:
            self._replay.tell(trial, ended.values)
        else:
            is_pruned = ended.state == TrialState.PRUNED
            self._replay.tell(trial, state=TrialState.PRUNED if is_pruned else TrialState.FAIL)
