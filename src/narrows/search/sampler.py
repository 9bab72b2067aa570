"""Draws of a search that has a seed: the same however often the search is stopped and started."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState

SURPLUS = "surplus"  # user attribute of a trial that was not needed


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


class FreshSampler(TPESampler):
    """Optuna's TPE, whose draws are other ones in each process."""

    begun: int | None = None
    """Number of the trial that this process began last."""

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Notes which trial has begun."""
        self.begun = trial.number
        super().before_trial(study, trial)


class RepeatableSampler(BaseSampler):
    """Optuna's TPE, whose draw for the n-th original trial depends on the seed, on n and on what
    the originals before it came to, and on nothing else.

    TPE's random state goes on from draw to draw and is lost with its process. So a new process
    draws again what the earlier ones drew, in studies in memory that hold what was known then; a
    retry of a trial that died amid its draw is given what the trial would have been given.
    """

    begun: int | None = None
    """Number of the trial that this process began last."""

    def __init__(
        self, study: optuna.Study, seed: int, draw: Callable[[optuna.Trial], Mapping[str, Any]]
    ):
        """
        Args:
            study: the study that the sampler draws for, whole where Hyperband shows only a part.
            seed: at least 0, below 2**32.
            draw: asks a trial for all its parameters.
        """
        self._study = study
        self._tpe = TPESampler(seed=seed)
        self._draw = draw
        self._draws: list[dict[str, Any]] = []  # of the originals, in their order
        self._params: dict[str, Any] = {}  # of the trial that runs

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Draws all parameters of the trial, and those of earlier originals if it has not yet."""
        self.begun = trial.number
        earlier = history(self._study, before=first_number(trial))
        for n in range(len(self._draws), len(earlier) + 1):
            self._draws.append(self._draw_after(earlier[:n]))
        self._params = self._draws[len(earlier)]

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Empty: every parameter is asked for by `sample_independent`."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
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
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)

    def _draw_after(self, earlier: Sequence[FrozenTrial]) -> dict[str, Any]:
        """Parameters that TPE, in its present random state, draws when it knows these trials."""
        replay = optuna.create_study(
            study_name=self._study.study_name,  # Hyperband looks at it
            directions=self._study.directions,
            sampler=self._tpe,
            pruner=self._study.pruner,
        )
        replay.add_trials(trial for trial in earlier if trial.state != TrialState.WAITING)
        trial = replay.ask()
        self._draw(trial)
        return trial.params
