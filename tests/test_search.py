"""Studies: trials are counted once, resumed where they stopped, and see no test row."""

import contextlib
import dataclasses
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import sqlalchemy
import torch
from optuna.artifacts import get_all_artifact_meta
from PIL import Image
from sqlalchemy.exc import OperationalError

from helpers.project import row
from narrows.config import params, plugins, search_space
from narrows.config.plugins import Plugin
from narrows.config.sections import Search
from narrows.errors import UserError
from narrows.search import best, database, sampler, studies, trials
from narrows.search.problem import Problem, row_of
from narrows.stages.winner import winner_of
from narrows.store.rows import CHECKPOINTS
from narrows.training import fitting

SPACE = {"code_size": {"low": 2, "high": 6}, "train.optimizer.lr": {"low": 1e-3, "high": 1e-1}}
GOOD = {"code_size": 6, "train.optimizer.lr": 0.03}


class Log:
    """Remembers what was logged; raises at an epoch of its choice."""

    def __init__(self, stop_at: int | None = None):
        self.stop_at = stop_at
        self.rows: list[dict[str, Any]] = []
        self.epochs: list[list[int]] = []
        self.runs: list[tuple[int, str, bool]] = []
        self.n_pruned = 0

    @contextmanager
    def __call__(self, number: int, run: str, resumes: bool) -> Iterator["Log"]:
        self.runs.append((number, run, resumes))
        self.epochs.append([])
        yield self

    def log_row(self, row: dict[str, Any]) -> None:
        self.rows.append(row)

    def log_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        self.epochs[-1].append(epoch)
        if epoch == self.stop_at:
            raise KeyboardInterrupt

    def write_down(self) -> None: ...

    def log_pruned(self) -> None:
        self.n_pruned += 1

    def log_values(self, values: dict[str, float], model: Any) -> None: ...


def objective(name: str, **options: Any) -> Plugin:
    return Plugin("objectives", name, plugins.load("objectives", name).Config(**options))


def problem(
    *objectives: Plugin, pruner: str = "none", options: Any = None, **changes: Any
) -> Problem:
    """A search with other options over a small row, on 90 samples of three kinds."""
    kinds = np.random.default_rng(0).random((3, 36), dtype=np.float32)
    noise = np.random.default_rng(1).random((120, 36), dtype=np.float32)
    x = torch.from_numpy(0.9 * kinds.repeat(40, axis=0) + 0.1 * noise)[torch.randperm(120)]
    search = Search(
        row="narrow",
        space=SPACE,
        objectives=objectives or (objective("reconstruction"),),
        n_trials=3,
        pruner=pruner,
        **(options or {}),
    )
    base = plugins.resolved(params.plugin("autoencoders", row()))
    base_problem = Problem(
        key="small",
        search=search,
        row=base,
        dataset="toy",
        digest="d",
        train=x[:90],
        val=x[90:],
        seed=0,
        device="cpu",
    )
    return dataclasses.replace(base_problem, **changes)


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    return database.open_storage(f"sqlite:///{tmp_path}/studies/studies.db")


def limits(n: int | None) -> trials.Limits:
    return trials.Limits(n_finished=n, deadline=None)


def test_a_study_is_gone_on_with_until_it_holds_enough(storage: Any) -> None:
    log, task = Log(), problem()
    study = trials.open_study(task, storage)
    trials.add_trials(task, study, limits(2), log)
    trials.add_trials(task, trials.open_study(task, storage), limits(5), log)
    trials.add_trials(task, trials.open_study(task, storage), limits(5), log)
    assert studies.n_finished(study) == len(log.rows) == 5
    best = studies.winner(study)
    assert best.values == [min(t.values[0] for t in study.trials)]
    best_row = row_of(task, best)
    assert best_row["code_size"] == best.params["code_size"]
    assert best_row["network"] == task.row["network"]


def test_epochs_are_written_down_before_a_checkpoint_holds_them(storage: Any) -> None:
    """A retry goes on behind the checkpoint, and does not log its epochs."""

    class Careful(Log):
        def __init__(self) -> None:
            super().__init__()
            self.written: list[tuple[list[int], list[Any]]] = []

        def write_down(self) -> None:
            self.written.append((list(self.epochs[-1]), list(CHECKPOINTS.rglob("last.ckpt"))))

    log, task = Careful(), problem()
    trials.add_trials(task, trials.open_study(task, storage), limits(1), log)
    assert log.written[0] == ([1], [])
    assert log.written[-1][0] == log.epochs[-1]


def test_two_workers_draw_other_values(storage: Any) -> None:
    task = problem()
    for _ in range(3):
        study = trials.open_study(task, storage)
        trials.add_trials(task, study, limits(studies.n_finished(study) + 1), Log())
    _, first, second = (trial.params["train.optimizer.lr"] for trial in study.trials)
    assert first != second


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_trial_has_its_picture_where_the_studies_are_a_file(
    storage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WithPicture(Log):
        def log_values(self, values: dict[str, float], model: Any) -> np.ndarray:
            return np.full((2, 3, 3), 200, np.uint8)

    task = problem()
    study = trials.open_study(task, storage)
    for n, url in enumerate((f"sqlite:///{tmp_path}/studies.db", "postgresql+psycopg://x/y")):
        monkeypatch.setattr(database, "url", lambda url=url: url)
        trials.add_trials(task, study, limits(n + 1), WithPicture())
    first, second = (get_all_artifact_meta(trial, storage=storage) for trial in study.trials)
    assert [(meta.filename, meta.mimetype) for meta in first] == [
        ("reconstructions.png", "image/png")
    ]
    picture = Image.open(tmp_path / "artifacts" / first[0].artifact_id)
    assert np.array_equal(np.asarray(picture), np.full((2, 3, 3), 200))
    assert second == []


@pytest.mark.parametrize("seed", [None, 0])
def test_the_first_trial_is_the_row_itself(storage: Any, seed: int | None) -> None:
    """So the winner is never worse than the row; it is also the row for the worker that goes on
    with it."""
    task, log = problem(), Log(stop_at=2)
    study = trials.open_study(task, storage, seed)
    with pytest.raises(KeyboardInterrupt):
        trials.add_trials(task, study, limits(1), log)
    trials.add_trials(task, trials.open_study(task, storage, seed), limits(2), log := Log())
    assert log.rows[0] == task.row != log.rows[1]
    assert row_of(task, study.trials[1]) == task.row
    assert studies.winner(study).values[0] <= study.trials[1].values[0]


def test_a_first_trial_has_the_rows_values_as_far_as_the_space_has_them(storage: Any) -> None:
    usual = problem()
    space = {**SPACE, "code_size": {"low": 2, "high": 5}, "loss": ["mse"], "train.patience": [1]}
    space["train.schedule"] = [{"name": "cosine"}, {"name": "none"}]
    space["network.hidden"] = {"layers": [1, 2], "units": [8, 16]}
    search = dataclasses.replace(usual.search, space=search_space.parse(space))
    task = problem(search=search)
    assert [key for key, own in task.own.items() if own is None] == [
        *("code_size", "loss", "train.patience")
    ]
    trials.add_trials(task, trials.open_study(task, storage), limits(1), log := Log())
    (tried,) = log.rows
    assert tried["code_size"] < 6
    assert (tried["loss"], tried["train"]["patience"]) == ("mse", 1)
    assert tried["network"] == task.row["network"]
    assert tried["train"]["optimizer"] == task.row["train"]["optimizer"]
    assert tried["train"]["schedule"] == {"name": "none"}


@pytest.mark.filterwarnings("ignore:Heartbeat of storage:UserWarning")
def test_of_two_that_begin_the_last_trial_one_goes_on(storage: Any) -> None:
    """As if another worker had asked for a trial between the count and the draw."""
    task, log = problem(), Log()
    study = trials.open_study(task, storage)
    trials.add_trials(task, study, limits(1), log)
    other, surplus = study.ask(), study.ask()
    studies.refuse_surplus(study, other, 2)
    with pytest.raises(UserError, match="enough"):
        studies.refuse_surplus(study, surplus, 2)
    for trial in (other, surplus):
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    trials.add_trials(task, study, limits(2), log)
    assert studies.n_finished(study) == 2


def test_a_trial_that_another_worker_took_for_dead_is_left_to_it(
    storage: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another marks it as failed amid its training, as where signs of life come late on a busy
    machine: this worker says so, and goes on with the next."""
    task = problem()
    study = trials.open_study(task, storage)

    class Late(Log):
        def log_values(self, values: dict[str, float], model: Any) -> None:
            if len(self.rows) == 1:
                trial = study.get_trials(deepcopy=False)[-1]
                failed = optuna.trial.TrialState.FAIL
                study._storage.set_trial_state_values(trial._trial_id, failed)

    trials.add_trials(task, study, limits(2), Late())
    assert studies.n_finished(study) == 2
    assert "trial 0 was silent for too long and is repeated" in capsys.readouterr().out


@pytest.mark.parametrize("seed", [3, 2**32 - 1])
def test_a_seed_draws_the_same_and_goes_on(storage: Any, seed: int) -> None:
    draws = []
    for digest in ("one", "other"):
        task = problem(digest=digest)
        for n in (1, 2):
            study = trials.open_study(task, storage, seed=seed)
            trials.add_trials(task, study, limits(n), Log())
        draws.append([trial.params for trial in study.trials])
    assert draws[0] == draws[1]
    assert draws[0][0] != draws[0][1]


def test_another_space_is_another_study(storage: Any) -> None:
    usual = problem()
    wider = problem(search=dataclasses.replace(usual.search, space=space_of(high=7)))
    assert usual.study_name == problem().study_name
    assert usual.study_name.startswith("toy-small-")
    problems = (usual, wider, problem(digest="e"), problem(seed=1))
    assert len({p.study_name for p in problems}) == 4


def space_of(high: int) -> search_space.Space:
    return search_space.parse(SPACE | {"code_size": {"low": 2, "high": high}})


def test_a_stopped_trial_goes_on_from_its_checkpoint(storage: Any) -> None:
    task, stopped, whole = problem(), Log(stop_at=3), Log()
    study = trials.open_study(task, storage, seed=0)
    with pytest.raises(KeyboardInterrupt):
        trials.add_trials(task, study, limits(1), stopped)
    assert [t.state.name for t in study.trials] == ["FAIL", "WAITING"]
    trials.add_trials(task, study, limits(1), whole)
    assert [t.state.name for t in study.trials] == ["FAIL", "COMPLETE"]
    assert stopped.epochs == [[1, 2, 3]]
    # the third epoch's checkpoint was not written yet, the second's only if there was time for it
    assert whole.epochs in ([[3, 4]], [[2, 3, 4]])
    assert stopped.rows == whole.rows
    (_, run, _) = stopped.runs[0]
    assert (*stopped.runs, *whole.runs) == ((0, run, False), (1, run, True))
    fresh = dataclasses.replace(task, digest="fresh")
    again, log = trials.open_study(fresh, storage, seed=0), Log()
    trials.add_trials(fresh, again, limits(1), log)
    assert log.runs[0][1] != run, "another study has the same numbers, and other runs"
    assert again.trials[0].params == study.trials[1].params
    assert again.trials[0].values == study.trials[1].values, "as if it had never been stopped"


@pytest.mark.parametrize("seed", [None, 0])
def test_a_trial_that_is_stopped_before_its_draw_is_left_to_the_next_worker(
    storage: Any, seed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = problem()
    study = trials.open_study(task, storage, seed)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(study.sampler, "infer_relative_search_space", stop)
        with pytest.raises(KeyboardInterrupt):
            trials.add_trials(task, study, limits(1), Log())
    assert [t.state.name for t in study.trials] == ["FAIL", "WAITING"]
    trials.add_trials(task, study, limits(1), Log())
    assert [t.state.name for t in study.trials] == ["FAIL", "COMPLETE"]


@pytest.mark.filterwarnings("ignore:Heartbeat of storage:UserWarning")
def test_a_trial_that_nobody_runs_is_not_waited_for_for_ever(storage: Any) -> None:
    """As a worker leaves it that dies before its first sign of life; a search with a seed draws
    what it would have drawn."""
    task = problem()
    quick = database.open_storage(str(storage.url), heartbeat=1)
    study = trials.open_study(task, quick, seed=0)
    trials.add_trials(task, study, limits(1), Log())
    study.ask()
    trials.add_trials(task, study, limits(3), Log())
    assert [t.state.name for t in study.trials] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    fresh = dataclasses.replace(task, digest="fresh")
    whole = trials.open_study(fresh, storage, seed=0)
    trials.add_trials(fresh, whole, limits(3), Log())
    originals = sampler.history(study, before=1000)
    assert [(t.params, t.values) for t in originals] == [(t.params, t.values) for t in whole.trials]


def test_a_trial_amid_which_the_database_breaks_off_is_handed_on(
    storage: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a server does that restarts while it answers; once too often, and the worker ends."""
    task = problem()
    study = trials.open_study(task, storage, seed=0)

    class Breaking(Log):
        n_left = trials.MAX_BREAKS

        def log_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
            super().log_epoch(epoch, metrics)
            if epoch == 3 and self.n_left:
                self.n_left -= 1
                raise OperationalError("", {}, Exception("terminating connection"))

    trials.add_trials(task, study, limits(1), Breaking())
    assert [t.state.name for t in study.trials] == ["FAIL"] * trials.MAX_BREAKS + ["COMPLETE"]
    assert capsys.readouterr().out.count("the database broke off; the trial is handed on") == 3
    log = Breaking()
    log.n_left += 1
    with pytest.raises(OperationalError):
        trials.add_trials(task, study, limits(2), log)


def test_a_better_trial_beats_the_winner(storage: Any, tmp_path: Path, monkeypatch: Any) -> None:
    task = problem()
    study = trials.open_study(task, storage)
    trials.add_trials(task, study, limits(2), Log())
    winner = studies.winner(study)
    monkeypatch.setenv("NARROWS_STUDIES", str(storage.url))
    assert best.better_trial(study.study_name, winner.number) is None
    assert best.better_trial("nothing of this name", 0) is None
    values = [0.0] * len(winner.values)
    distributions = winner.distributions
    study.add_trial(
        optuna.create_trial(params=winner.params, distributions=distributions, values=values)
    )
    assert best.better_trial(study.study_name, winner.number) == 2
    assert best.better_trial(study.study_name, 2) is None
    monkeypatch.setenv("NARROWS_STUDIES", f"sqlite:///{tmp_path}/none/studies.db")
    assert best.better_trial(study.study_name, winner.number) is None
    assert not (tmp_path / "none").exists(), "a clone has no studies"


def test_a_database_that_is_away_leaves_the_winner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    url = "postgresql+psycopg://anna:secret@127.0.0.1:1/studies"
    monkeypatch.setenv("NARROWS_STUDIES", url)
    assert best.better_trial("study", 0) is None
    said = capsys.readouterr().out
    assert said.startswith(f"tune: the storage of studies {url.replace('secret', '***')} does not")
    assert said.endswith("; the winner stays\n")


def test_a_worker_whose_trial_was_taken_for_dead_goes_on(
    storage: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    task = problem()
    study = trials.open_study(task, storage)

    class Silent(Log):
        def log_values(self, values: dict[str, float], model: Any) -> None:
            if len(self.rows) == 1:
                (trial,) = study.get_trials()
                storage.set_trial_state_values(trial._trial_id, optuna.trial.TrialState.FAIL)
                database.retry(study, trial)

    log = Silent()
    trials.add_trials(task, study, limits(2), log)
    assert [(number, resumes) for number, _, resumes in log.runs] == [
        *((0, False), (1, True), (2, False))
    ]
    assert log.runs[0][1] == log.runs[1][1] != log.runs[2][1]
    assert [t.state.name for t in study.trials] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert "trial 0 was silent" in capsys.readouterr().out


def test_no_epoch_begins_after_the_deadline(storage: Any) -> None:
    task, log = problem(), Log()
    study = trials.open_study(task, storage)
    trials.add_trials(task, study, trials.Limits(n_finished=None, deadline=1.0), log)
    assert study.trials == []


def test_a_front_has_no_trial_that_another_beats(storage: Any) -> None:
    task = problem(objective("reconstruction"), objective("code_size"))
    study = trials.open_study(task, storage)
    trials.add_trials(task, study, limits(6), Log())
    assert [d.name for d in study.directions] == ["MINIMIZE", "MINIMIZE"]
    assert all(t.values[1] == t.params["code_size"] for t in study.trials)
    assert studies.winner(study, 1).values[1] == min(t.values[1] for t in study.trials)
    assert studies.winner(study).values[0] == min(t.values[0] for t in study.trials)


@pytest.mark.parametrize(
    ("pruner", "stop_at"),
    [
        ("median", 2),
        ("median", 3),
        ("percentile", 3),
        ("patient", 3),
        ("hyperband", 3),
        ("asha", 3),
    ],
)
def test_a_pruner_sees_of_a_stopped_trial_what_it_sees_of_a_whole_one(
    storage: Any, pruner: str, stop_at: int
) -> None:
    task = problem(pruner=pruner)
    study = trials.open_study(task, storage)
    study.enqueue_trial(GOOD)
    with pytest.raises(KeyboardInterrupt):
        trials.add_trials(task, study, limits(1), Log(stop_at))
    trials.add_trials(task, study, limits(1), Log())
    study.enqueue_trial(GOOD)
    trials.add_trials(task, study, limits(2), Log())
    _, stopped, whole = study.trials
    assert stopped.intermediate_values == whole.intermediate_values
    assert list(whole.intermediate_values) == [1, 2, 3, 4]


@pytest.mark.parametrize("pruner", ["median", "percentile", "asha"])
def test_bad_trials_are_pruned(storage: Any, pruner: str) -> None:
    """The smallest code and rate of the space learn less than the median of five good trials."""
    task, log = problem(pruner=pruner), Log()
    study = trials.open_study(task, storage)
    for _ in range(5):
        study.enqueue_trial(GOOD)
    trials.add_trials(task, study, limits(5), Log())
    study.enqueue_trial({"code_size": 2, "train.optimizer.lr": 1e-3})
    trials.add_trials(task, study, limits(6), log)
    assert study.trials[-1].state == optuna.trial.TrialState.PRUNED
    assert log.n_pruned == 1


SEEDS = {"seeds": (0, 1, 2, 3, 4)}


def test_a_trial_of_several_seeds_has_their_mean_and_goes_on_after_a_stop(
    storage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped when the second seed begins; the first one is not trained again."""
    usual, values = problem(), []
    for seeds in ((0,), (1,)):
        task = dataclasses.replace(usual, search=dataclasses.replace(usual.search, seeds=seeds))
        study = trials.open_study(task, storage)
        trials.add_trials(task, study, limits(1), Log())
        values += study.trials[0].values
    task = dataclasses.replace(usual, search=dataclasses.replace(usual.search, seeds=(0, 1)))
    stopped, log = Log(), Log()
    study, fit = trials.open_study(task, storage), fitting.fit

    def stop(*words: Any, seed: int, **options: Any) -> Any:
        if seed == 1:
            raise KeyboardInterrupt
        return fit(*words, seed=seed, **options)

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "fit", stop)
        with pytest.raises(KeyboardInterrupt):
            trials.add_trials(task, study, limits(1), stopped)
    trials.add_trials(task, study, limits(1), log)
    assert (stopped.epochs, log.epochs) == ([[1, 2, 3, 4]], [[]])
    first, second = values
    assert first != second
    assert study.trials[-1].values[0] == pytest.approx((first + second) / 2)


def test_a_trial_that_is_worse_from_every_seed_is_pruned_before_the_last(storage: Any) -> None:
    """Four differences of one sign have p = 1/16."""
    task, log = problem(pruner="wilcoxon", options=SEEDS), Log()
    study = trials.open_study(task, storage)
    study.enqueue_trial(GOOD)
    study.enqueue_trial({"code_size": 2, "train.optimizer.lr": 1e-3})
    trials.add_trials(task, study, limits(2), log)
    good, bad = study.trials
    assert good.values[0] == pytest.approx(sum(good.intermediate_values.values()) / 5)
    assert bad.state.name == "PRUNED"
    assert list(bad.intermediate_values) == [1, 2, 3, 4]
    assert log.n_pruned == 1


def test_a_trial_that_exceeds_a_constraint_never_wins(storage: Any) -> None:
    task = problem(options={"constraints": {"code_size": 4, "seconds": 600}})
    study = trials.open_study(task, storage)
    study.enqueue_trial({"code_size": 4, "train.optimizer.lr": 1e-3})
    study.enqueue_trial(GOOD)
    trials.add_trials(task, study, limits(2), Log())
    small, large = studies.table(study, task.objectives)
    assert large["reconstruction"] < small["reconstruction"]
    assert (small["exceeds"], large["exceeds"]) == ([], ["code_size"])
    assert studies.winner(study).number == small["trial"]
    gains = studies.gains(study, task.objectives, set(), 1.0)
    assert gains.objectives[0]["after"]["trial"] == small["trial"]


def test_where_no_trial_is_within_its_constraints_there_is_no_winner(storage: Any) -> None:
    task = problem(options={"constraints": {"seconds": 1e-9}})
    study = trials.open_study(task, storage)
    trials.add_trials(task, study, limits(1), Log())
    with pytest.raises(UserError, match=r"searches\.small: none of its 1 trials .* `constraints`"):
        winner_of(task, study)


def test_a_search_ends_when_no_trial_has_been_better_for_a_while(storage: Any) -> None:
    """The second is the best of four; the fifth equals it, which is not better."""
    task = problem()
    study = trials.open_study(task, storage)
    for n, value in enumerate([3.0, 1.0, 2.0, 2.0, 1.0]):
        study.add_trial(optuna.create_trial(values=[value]))
        assert studies.n_since_best(study) == [0, 0, 1, 2, 3][n]
    trials.add_trials(task, study, trials.Limits(None, None, patience=3), Log())
    assert len(study.trials) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pruner": "wilcoxon", "seeds": (0, 1, 2, 3)}, "wilcoxon .* 5 seeds or more"),
        ({"pruner": "asha", "seeds": (0, 1)}, "asha compares validation losses, .* no seeds"),
        ({"objectives": ("agreement",), "seeds": (0,)}, "agreement .* seeds has to list 2 or more"),
        ({"sampler": "cmaes", "objectives": ("silhouette",) * 2}, "cmaes takes one objective"),
        ({"sampler": "cmaes", "constraints": {"seconds": 9}}, "cmaes takes .* no constraints"),
        ({"constraints": {"colour": 3}}, "'code_size' or 'seconds'"),
        ({"constraints": {"seconds": 0}}, "greater than 0"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: Any, message: str) -> None:
    usual = {"objectives": ("silhouette",), **options}
    usual["objectives"] = tuple(objective(name, n_clusters=3) for name in usual["objectives"])
    with pytest.raises(ValueError, match=message):
        Search(row="narrow", space=SPACE, n_trials=3, **usual)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("silhouette", 0.3, 1),
        ("pseudo_labels", 0.9, 1),
        ("agreement", 0.9, 1),
        ("neighbour_votes", 0.9, 1),
    ],
)
def test_clusters_are_judged_without_labels(
    name: str, low: float, high: float, storage: Any
) -> None:
    task = problem(objective(name, n_clusters=3), options={"seeds": (0, 1)})
    study = trials.open_study(task, storage)
    study.enqueue_trial(GOOD)
    trials.add_trials(task, study, limits(1), Log())
    assert study.directions[0].name == "MAXIMIZE"
    assert low < study.trials[0].values[0] <= 1


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "accepted are URLs of a database"),
        (
            "postgresql+psycopg://u:secret@localhost:1/x",
            r"postgresql\+psycopg://u:\*\*\*@localhost",
        ),
        ("postgresql://u:secret@localhost:1/x", r"let the URL begin with postgresql\+psycopg://$"),
        ("sqlite:////proc/none/studies.db", "does not open"),
        ("sqlite:///other.db", "holds tables of something else"),
    ],
)
def test_a_database_that_does_not_open_is_explained(
    url: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(sqlite3.connect("other.db")) as other:  # as MLflow leaves it
        other.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        other.execute("INSERT INTO alembic_version VALUES ('a1b2c3')")
        other.commit()
    with pytest.raises(UserError, match=message) as error:
        database.open_storage(url)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_studies_of_an_older_optuna_name_the_command_that_upgrades_them(storage: Any) -> None:
    with contextlib.closing(sqlite3.connect("studies/studies.db")) as older:
        older.execute("UPDATE alembic_version SET version_num = 'v2.6.0.a'")
        older.commit()
    url = str(storage.url)
    with pytest.raises(UserError) as error:
        database.open_storage(url)
    assert "was written by an older Optuna" in str(error.value)
    assert str(error.value).endswith(f"optuna storage upgrade --storage {shlex.quote(url)}")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_full_disk_is_explained_and_no_trial_is_lost(storage: Any) -> None:
    task, url = problem(), str(storage.url)
    study = trials.open_study(task, storage)
    trials.add_trials(task, study, limits(1), Log())

    def full(connection: Any, _: Any) -> None:
        (n_pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {n_pages}")

    sqlalchemy.event.listen(storage.engine, "connect", full)
    storage.engine.dispose()
    with pytest.raises(UserError, match=r"studies\.db does not answer: .*full"):
        with database.explain_errors(url):
            trials.add_trials(task, study, limits(300), Log())
    sqlalchemy.event.remove(storage.engine, "connect", full)
    storage.engine.dispose()
    n = studies.n_finished(study)
    trials.add_trials(task, study, limits(n + 1), Log())
    assert studies.n_finished(study) == n + 1
