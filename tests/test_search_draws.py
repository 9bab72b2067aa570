"""Draws of a search with a seed: those of Optuna's samplers, however often the search is killed."""

import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import optuna
import pytest

from narrows.config import params, plugins, search_space
from narrows.config.sections import Search
from narrows.errors import UserError
from narrows.search import database, hub, registry, sampler, studies

pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage:UserWarning")
SPACE = {
    "code_size": {"low": 2, "high": 64, "log": True},
    "network.hidden": {"layers": [0, 3], "units": [4, 512]},
    "loss": ["bce", "mse"],
    "lr": {"low": 1e-4, "high": 1e-1, "log": True},
}
OWN = {"code_size": 32, "network.hidden.layers": 1, "network.hidden.0": 128, "loss": "bce"}
OWN |= {"lr": 0.005}
N_TRIALS = 15  # the first six are random
Draws = list[dict[str, Any]]


def search_of(word: str, n_objectives: int) -> Search:
    """A search by a sampler, whose objectives have no meaning here."""
    config = plugins.load("objectives", "code_size").Config()
    objectives = (plugins.Plugin("objectives", "code_size", config),) * n_objectives
    return Search(
        row="row",
        space=SPACE,
        objectives=objectives,
        n_trials=N_TRIALS,
        sampler=word,
        n_startup_trials=6,
    )


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[database.Storage]:
    monkeypatch.chdir(tmp_path)
    storage = database.open_storage(f"sqlite:///{tmp_path}/studies.db", heartbeat=1)
    yield storage
    storage.remove_session()
    storage.engine.dispose()


def values(trial: optuna.Trial, n_objectives: int) -> tuple[float, ...]:
    """Values without a meaning, the same for the same parameters; of two objectives, half of the
    codes are too large."""
    row = search_space.draw(search_space.parse(SPACE), trial)
    error = (row["lr"] - 0.01) ** 2 + sum(row["network.hidden"]) / 1000 + (row["loss"] == "bce")
    if n_objectives > 1:
        trial.set_constraint("code_size", row["code_size"] - 16)
    return (error, float(row["code_size"]))[:n_objectives]


def plain(search: Search, seed: int, n_trials: int) -> Draws:
    """Parameters that Optuna draws after a first trial where nothing is ever interrupted."""
    n_objectives = len(search.objectives)
    tail = registry.sampler(search, seed)
    head = optuna.samplers.PartialFixedSampler(OWN, tail)
    study = optuna.create_study(directions=["minimize"] * n_objectives)
    for n in range(n_trials):
        study.sampler = tail if n else head
        study.optimize(lambda trial: values(trial, n_objectives), n_trials=1)
    return [trial.params for trial in study.trials]


def start(storage: database.Storage, search: Search, seed: int | None) -> optuna.Study:
    """The study as a process that has just begun sees it."""
    fresh = sampler.FreshSampler(registry.sampler(search, seed), OWN)
    directions = ["minimize"] * len(search.objectives)
    study = studies.open_study(storage, "study", directions, registry.pruner(search), fresh)
    if seed is not None:
        draw = lambda trial: search_space.draw(search.space, trial)  # noqa: E731
        depends = lambda n, n_results: registry.depends(search, n, n_results)  # noqa: E731
        study.sampler = sampler.RepeatableSampler(study, fresh, draw, depends)
    return study


def complete(study: optuna.Study) -> Draws:
    """Parameters of the trials that have a value, in the order of the trials that they retry."""
    finished = sampler.history(study, before=1000)
    assert {trial.state.name for trial in finished} == {"COMPLETE"}
    return [trial.params for trial in finished]


KINDS = [  # with numbers of trials; a draw by Gaussian processes takes half a second
    *(("tpe", 1, 15), ("tpe", 2, 15), ("gp", 1, 9), ("gp", 2, 8)),
    *(("nsga2", 2, 15), ("cmaes", 1, 15), ("qmc", 2, 9)),
]


@pytest.mark.parametrize(("word", "n_objectives", "n_trials"), KINDS)
def test_a_search_that_is_killed_draws_what_optuna_draws(
    storage: database.Storage, word: str, n_objectives: int, n_trials: int
) -> None:
    """Every third trial is killed with none, one or all of its parameters drawn, and every trial
    runs in a process of its own."""
    search, n_kills = search_of(word, n_objectives), 0
    for n in range(n_trials):
        if n % 3 == 0:
            trial = start(storage, search, seed=3).ask()
            if n_kills % 3 == 1:
                trial.suggest_int("code_size", 2, 64, log=True)
            elif n_kills % 3 == 2:
                search_space.draw(search.space, trial)
            studies.leave(start(storage, search, seed=3), trial.number)
            n_kills += 1
        study = start(storage, search, seed=3)
        study.optimize(lambda trial: values(trial, n_objectives), n_trials=1)
    assert n_kills >= 3
    assert len(study.trials) == n_trials + n_kills
    assert complete(study) == plain(search, 3, n_trials)
    assert complete(study)[0] == OWN


@dataclass
class Crew:
    """Workers with a seed, each with a study object of its own, whose trials begin and end in an
    order by chance."""

    storage: database.Storage
    search: Search
    chance: random.Random
    share_killed: float = 0.0
    """Of the trials: their workers die amid them, and others come."""
    most: int = 0
    """How many trials were running at once."""

    def draw(self, n_workers: int, n_trials: int) -> optuna.Study:
        """Runs the trials."""
        workers = [start(self.storage, self.search, seed=3) for _ in range(n_workers)]
        running: dict[int, optuna.Trial] = {}
        while (n_finished := studies.n_finished(workers[0])) < n_trials:
            i = self.chance.randrange(n_workers)
            if i in running:
                if self.end(workers[i], running.pop(i)):
                    workers[i] = start(self.storage, self.search, seed=3)
            elif n_finished + len(running) < n_trials and not studies.has_to_wait(workers[i]):
                running[i] = workers[i].ask()
                self.most = max(self.most, len(running))
        return workers[0]

    def end(self, study: optuna.Study, trial: optuna.Trial) -> bool:
        """Ends a trial; whether its worker was killed, with all or none of the values drawn."""
        is_killed = self.chance.random() < self.share_killed
        if not is_killed:
            study.tell(trial, values(trial, len(self.search.objectives)))
            return False
        if self.chance.random() < 0.5:
            search_space.draw(self.search.space, trial)
        studies.leave(study, trial.number)
        return True


@pytest.mark.parametrize(("n_workers", "share_killed"), [(2, 0.0), (3, 0.3)])
@pytest.mark.parametrize(("word", "n_objectives", "n_trials"), KINDS)
def test_workers_with_a_seed_draw_side_by_side_what_optuna_draws(
    storage: database.Storage,
    word: str,
    n_objectives: int,
    n_trials: int,
    n_workers: int,
    share_killed: float,
) -> None:
    """Also beyond the first six trials, which are random: from the seventh on one runs at a time,
    but of a sequence as many as there are workers."""
    search = search_of(word, n_objectives)
    crew = Crew(storage, search, random.Random(n_workers), share_killed)
    study = crew.draw(n_workers, n_trials)
    assert complete(study) == plain(search, 3, n_trials)
    assert crew.most == n_workers
    if not share_killed:
        assert [trial.number for trial in study.trials] == list(range(n_trials))


def test_a_draw_waits_for_those_that_it_depends_on(storage: database.Storage) -> None:
    """The first six are random, the seventh looks at all of them."""
    search = search_of("tpe", 1)
    study, other = (start(storage, search, seed=3) for _ in range(2))
    first = [study.ask() for _ in range(6)]
    assert studies.has_to_wait(study)
    for n, trial in enumerate(reversed(first)):
        assert studies.has_to_wait(other)
        study.tell(trial, [float(n)])
    assert not studies.has_to_wait(other)
    other.ask()
    assert studies.has_to_wait(study)
    assert not studies.has_to_wait(start(storage, search, seed=None))
    assert (registry.n_at_once(search), registry.n_at_once(search_of("qmc", 1))) == (6, N_TRIALS)


def test_points_of_a_sequence_are_for_the_keys_of_the_first_trial_with_a_result(
    storage: database.Storage,
) -> None:
    study = start(storage, search_of("qmc", 1), seed=3)
    first = study.ask()
    assert studies.has_to_wait(study)
    study.tell(first, state=optuna.trial.TrialState.FAIL)
    second = study.ask()
    assert studies.has_to_wait(study)
    study.tell(second, [1.0])
    for _ in range(3):
        assert not studies.has_to_wait(study)
        study.ask()


def test_with_a_pruner_one_trial_runs_at_a_time(storage: database.Storage) -> None:
    usual = search_of("tpe", 1)
    space = {key: SPACE[key] for key in ("code_size", "lr")}
    search = replace(usual, pruner="median", space=space)
    study = start(storage, search, seed=3)
    trial = study.ask()
    assert studies.has_to_wait(study)
    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    assert not studies.has_to_wait(study)
    assert registry.n_at_once(search) == 1


def test_every_word_has_a_sampler_or_a_pruner() -> None:
    words = {key: get_args(hint) for key, hint in get_type_hints(Search).items()}
    assert set(words["sampler"]) == {*registry.SAMPLERS, "auto"}
    assert set(words["pruner"]) == set(registry.PRUNERS)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """OptunaHub's cache, in which nothing is."""
    monkeypatch.setenv("OPTUNAHUB_CACHE_HOME", str(tmp_path / "cache"))
    hub.auto_sampler.cache_clear()
    yield tmp_path / "cache"
    hub.auto_sampler.cache_clear()


@pytest.mark.usefixtures("cache")
def test_auto_compares_values_where_all_are_ranges() -> None:
    search = search_of("auto", 1)
    assert registry.explained(search).startswith("sampler auto is tpe; OptunaHub's AutoSampler is ")
    assert registry.explained(search_of("tpe", 1)) == ""
    assert isinstance(registry.sampler(search, 0), optuna.samplers.TPESampler)
    ranges = {key: SPACE[key] for key in ("code_size", "lr")}
    only = Search(row="row", space=ranges, objectives=search.objectives, n_trials=1, sampler="auto")
    assert isinstance(registry.sampler(only, 0), optuna.samplers.GPSampler)


AUTO_SAMPLER = """
from optuna.samplers import RandomSampler

class AutoSampler(RandomSampler):
    def __init__(self, *, seed=None):
        super().__init__(seed)
"""


def test_auto_is_what_optunahub_has_where_it_was_fetched(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry on this disk stands for that of GitHub, and answers for one commit."""
    pytest.importorskip("optunahub", reason="pip install 'narrows[hub]'")
    origin = tmp_path / "github/optuna/optunahub-registry"
    package = origin / "package" / hub.PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(AUTO_SAMPLER)
    (tmp_path / "git.config").write_text(
        "[user]\nname = a\nemail = a@b\n[safe]\ndirectory = *\n[uploadpack]\n"
        f'allowAnySHA1InWant = true\n[url "{tmp_path}/github/"]\ninsteadOf = https://github.com/\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "git.config"))
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["commit", "-qm", "y"]):
        more = ["--allow-empty"] if words[0] == "commit" else []
        subprocess.run(["git", *words, *more], cwd=origin, check=True)
    ask = ["git", "rev-parse", "HEAD~1"]
    commit = subprocess.run(ask, cwd=origin, check=True, capture_output=True, text=True).stdout
    monkeypatch.setattr(hub, "COMMIT", commit.strip())
    assert hub.auto_sampler() is None, "no search downloads it"
    hub.auto_sampler.cache_clear()
    hub.fetch()
    search = search_of("auto", 2)
    assert type(registry.sampler(search, 3)).__name__ == "AutoSampler"
    assert registry.explained(search) == "sampler auto is OptunaHub's AutoSampler"
    assert registry.depends(search, 1, 1)
    assert registry.n_at_once(search) == 1
    assert (cache / "github.com").is_dir()


@pytest.mark.usefixtures("cache")
def test_a_registry_that_is_not_reached_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optunahub", reason="pip install 'narrows[hub]'")
    (tmp_path / "git.config").write_text(f'[url "{tmp_path}/"]\ninsteadOf = https://github.com/\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "git.config"))
    with pytest.raises(UserError, match=r"registry is not reached: .*does not appear to be a git"):
        hub.fetch()


@pytest.mark.parametrize("word", sorted(registry.SAMPLERS))
def test_a_sampler_has_looked_at_results_after_its_first_trials(word: str) -> None:
    """With other results its later draws are others, but for a sequence; the first ones are the
    same."""
    search = search_of(word, 1)
    draws = []
    for sign in (1, -1):
        study = optuna.create_study(sampler=registry.sampler(search, 3))
        n_trials = 9 if word == "gp" else N_TRIALS
        study.optimize(lambda trial, sign=sign: sign * values(trial, 1)[0], n_trials=n_trials)
        draws.append([trial.params for trial in study.trials])
    first, second = draws
    assert first[:6] == second[:6]
    assert (first == second) == (word == "qmc")


def test_trials_of_another_worker_do_not_come_again(storage: database.Storage) -> None:
    search = search_of("tpe", 1)
    other = start(storage, search, seed=None)
    other.optimize(lambda trial: values(trial, 1), n_trials=3)
    study = start(storage, search, seed=3)
    study.optimize(lambda trial: values(trial, 1), n_trials=2)
    rates = [trial.params["lr"] for trial in study.trials]
    assert rates[0] == OWN["lr"]
    assert len(set(rates)) == 5
    assert rates[3:] == [draw["lr"] for draw in plain(search, 3, 5)[3:5]]


def test_two_workers_without_a_seed_share_the_points_of_a_sequence(
    storage: database.Storage,
) -> None:
    search = search_of("qmc", 1)
    for _ in range(8):
        study = start(storage, search, seed=None)
        study.optimize(lambda trial: values(trial, 1), n_trials=1)
    assert len({trial.params["lr"] for trial in study.trials}) == 8


def test_the_first_trials_of_small_codes_are_its_row_and_those_of_optuna(
    storage: database.Storage,
) -> None:
    p = params.load(Path(__file__).parent / "experiment.yaml")
    search = p.searches["small-codes"]
    directions = ["minimize"] * 2
    own = {"code_size": 32, "network.hidden.layers": 1, "network.hidden.0": 128}
    own |= {"code_activation": "relu", "loss": "bce", "train.optimizer.lr": 0.005}
    tpe = optuna.samplers.TPESampler(seed=p.seed)
    usual = optuna.create_study(directions=directions, sampler=tpe)
    usual.enqueue_trial(own)
    fresh = sampler.FreshSampler(registry.sampler(search, p.seed), own)
    pruner = registry.pruner(search)
    seeded = studies.open_study(storage, "study", directions, pruner, fresh)
    draw = lambda trial: search_space.draw(search.space, trial)  # noqa: E731
    seeded.sampler = sampler.RepeatableSampler(seeded, fresh, draw, lambda n, n_results: True)
    for study in (usual, seeded):
        for n in range(search.n_trials):
            trial = study.ask()
            search_space.draw(search.space, trial)
            study.tell(trial, (1 / (1 + n), n % 3))
    assert [t.params for t in seeded.trials] == [t.params for t in usual.trials]
    assert seeded.trials[0].params == own
