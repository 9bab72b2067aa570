"""What the trials of a study have to solve: a search, its row, and the data that it may see."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from narrows.config import params, plugins, search_space
from narrows.config.sections import Search
from narrows.data.on_disk import Samples
from narrows.data.prepared import Prepared
from narrows.store.digests import name_of


@dataclass(frozen=True)
class Problem:
    """A search and its data."""

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
    def seeds(self) -> tuple[int, ...]:
        """Seeds from which each trial is trained."""
        return self.search.seeds or (self.seed,)

    @property
    def study_name(self) -> str:
        """Name of the study: readable, with a fingerprint of all that its values depend on."""
        search = self.search
        inputs: list[Any] = [plugins.resolved(search.objectives), str(search.space), self.row]
        if search.seeds or search.constraints:
            inputs += [list(search.seeds), search.constraints]
        fingerprint = name_of(["search", self.key, [inputs, self.seed], self.digest])
        return f"{self.dataset}-{self.key}-{fingerprint[:8]}"

    @functools.cached_property
    def own(self) -> dict[str, dict[str, Any] | None]:
        """By key of the space, the parameters that make the row's own value of it; None where the
        space does not have it."""
        return {key: self._own(key) for key in self.search.space}

    def _own(self, key: str) -> dict[str, Any] | None:
        parameter = self.search.space[key]
        for candidate in parameter.candidates(key, search_space.value_at(self.row, key)):
            value = parameter.draw(key, optuna.trial.FixedTrial(candidate))
            row = search_space.changed(self.row, {key: value})
            if plugins.resolved(params.plugin("autoencoders", row)) == self.row:
                return candidate
        return None


def problem(p: params.Params, key: str, data: Prepared) -> Problem:
    """The search `key` of params.yaml on the train and validation rows of the data."""
    search = p.searches[key]
    row = plugins.resolved(p.autoencoders[search.row])
    train, val = data.samples("train"), data.samples("val")
    return Problem(key, search, row, data.name, data.digest, train, val, p.seed, p.device)


def row_of(problem: Problem, trial: FrozenTrial) -> dict[str, Any]:
    """The row of `autoencoders:` that a finished trial was."""
    parameters = optuna.trial.FixedTrial(trial.params)
    return search_space.changed(problem.row, search_space.draw(problem.search.space, parameters))
