"""Draws of a search with a seed: those of Optuna's TPE, however often the search is killed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from narrows.config import params, search_space
from narrows.search import database, sampler, studies

pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage:UserWarning")
SPACE = search_space.parse(
    {
        "code_size": {"low": 2, "high": 64, "log": True},
        "network.hidden": {"layers": [0, 3], "units": [4, 512]},
        "loss": ["bce", "mse"],
        "lr": {"low": 1e-4, "high": 1e-1, "log": True},
    }
)
N_TRIALS = 15  # TPE's first ten are random
Draws = list[dict[str, Any]]


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[database.Storage]:
    monkeypatch.chdir(tmp_path)
    storage = database.open_storage(f"sqlite:///{tmp_path}/studies.db", heartbeat=1)
    yield storage
    storage.remove_session()
    storage.engine.dispose()


def values(trial: optuna.Trial, n_objectives: int) -> tuple[float, ...]:
    """Values without a meaning, the same for the same parameters."""
    row = search_space.draw(SPACE, trial)
    error = (row["lr"] - 0.01) ** 2 + sum(row["network.hidden"]) / 1000 + (row["loss"] == "bce")
    return (error, float(row["code_size"]))[:n_objectives]


def plain_tpe(seed: int, n_objectives: int, pruner: str = "none") -> Draws:
    """Parameters that Optuna draws where nothing is ever interrupted."""
    study = optuna.create_study(
        study_name="study",
        directions=["minimize"] * n_objectives,
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=studies.PRUNERS[pruner](),
    )
    study.optimize(lambda trial: values(trial, n_objectives), n_trials=N_TRIALS)
    return [trial.params for trial in study.trials]


def start(storage: database.Storage, n_objectives: int, seed: int) -> optuna.Study:
    """The study as a process that has just begun sees it."""
    study = studies.open_study(storage, "study", ["minimize"] * n_objectives, "none")
    studies.seed_draws(study, seed, lambda trial: search_space.draw(SPACE, trial))
    return study


def complete(study: optuna.Study) -> Draws:
    """Parameters of the trials that have a value, in the order of the trials that they retry."""
    finished = sampler.history(study, before=1000)
    assert {trial.state.name for trial in finished} == {"COMPLETE"}
    return [trial.params for trial in finished]


@pytest.mark.parametrize("n_objectives", [1, 2])
def test_a_search_draws_what_optuna_draws(storage: database.Storage, n_objectives: int) -> None:
    study = start(storage, n_objectives, seed=3)
    study.optimize(lambda trial: values(trial, n_objectives), n_trials=N_TRIALS)
    assert complete(study) == plain_tpe(3, n_objectives)


@pytest.mark.parametrize("n_objectives", [1, 2])
def test_a_search_that_is_killed_draws_the_same(
    storage: database.Storage, n_objectives: int
) -> None:
    """Every third trial is killed with none, one or all of its parameters drawn, and every trial
    runs in a process of its own."""
    n_kills = 0
    for n in range(N_TRIALS):
        if n % 3 == 2:
            trial = start(storage, n_objectives, seed=3).ask()
            if n_kills % 3 == 1:
                trial.suggest_int("code_size", 2, 64, log=True)
            elif n_kills % 3 == 2:
                search_space.draw(SPACE, trial)
            studies.leave(start(storage, n_objectives, seed=3), trial.number)
            n_kills += 1
        study = start(storage, n_objectives, seed=3)
        study.optimize(lambda trial: values(trial, n_objectives), n_trials=1)
    assert n_kills == 5
    assert len(study.trials) == N_TRIALS + n_kills
    assert complete(study) == plain_tpe(3, n_objectives)


def test_trials_of_another_worker_do_not_come_again(storage: database.Storage) -> None:
    other = studies.open_study(storage, "study", ["minimize"], "none")
    other.optimize(lambda trial: values(trial, 1), n_trials=3)
    study = start(storage, 1, seed=3)
    study.optimize(lambda trial: values(trial, 1), n_trials=2)
    rates = [trial.params["lr"] for trial in study.trials]
    assert len(set(rates)) == 5
    assert rates[3:] == [draw["lr"] for draw in plain_tpe(3, 1)[3:5]]


def test_the_first_trials_of_small_codes_are_those_that_they_were(
    storage: database.Storage,
) -> None:
    p = params.load(Path(__file__).parents[1] / "params.yaml")
    search = p.searches["small-codes"]
    plain = optuna.create_study(
        directions=["minimize"] * 2, sampler=optuna.samplers.TPESampler(seed=p.seed)
    )
    seeded = studies.open_study(storage, "study", ["minimize"] * 2, "none")
    studies.seed_draws(seeded, p.seed, lambda trial: search_space.draw(search.space, trial))
    for study in (plain, seeded):
        for n in range(search.n_trials):
            trial = study.ask()
            search_space.draw(search.space, trial)
            study.tell(trial, (1 / (1 + n), n % 3))
    assert [t.params for t in seeded.trials] == [t.params for t in plain.trials]
