"""Studies: trials are counted once, resumed where they stopped, and see no test row."""

import contextlib
import dataclasses
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
from project import row

from narrows.config import params, plugins, search_space
from narrows.config.plugins import Plugin
from narrows.config.sections import Search
from narrows.errors import UserError
from narrows.search import studies, trials

SPACE = {"code_size": {"low": 2, "high": 6}, "train.optimizer.lr": {"low": 1e-3, "high": 1e-1}}
GOOD = {"code_size": 6, "train.optimizer.lr": 0.03}


class Watch:
    """Keeps what it is told; raises at an epoch of its choice."""

    def __init__(self, stop_at: int | None = None):
        self.stop_at = stop_at
        self.rows: list[dict[str, Any]] = []
        self.epochs: list[list[int]] = []
        self.numbers: list[tuple[int, int]] = []
        self.n_pruned = 0

    @contextmanager
    def __call__(self, number: int, first: int) -> Iterator["Watch"]:
        self.numbers.append((number, first))
        self.epochs.append([])
        yield self

    def began(self, row: dict[str, Any]) -> None:
        self.rows.append(row)

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        self.epochs[-1].append(epoch)
        if epoch == self.stop_at:
            raise KeyboardInterrupt

    def pruned(self) -> None:
        self.n_pruned += 1

    def judged(self, values: dict[str, float], model: Any) -> None: ...


def objective(name: str, **options: Any) -> Plugin:
    return Plugin("objectives", name, plugins.load("objectives", name).Config(**options))


def job(*objectives: Plugin, pruner: str = "none", **changes: Any) -> trials.Job:
    """A search over a small row on 90 samples of three kinds."""
    kinds = np.random.default_rng(0).random((3, 36), dtype=np.float32)
    noise = np.random.default_rng(1).random((120, 36), dtype=np.float32)
    x = torch.from_numpy(0.9 * kinds.repeat(40, axis=0) + 0.1 * noise)[torch.randperm(120)]
    chosen = Search(
        row="narrow",
        space=SPACE,
        objectives=objectives or (objective("reconstruction"),),
        n_trials=3,
        pruner=pruner,
    )
    base = plugins.resolved(params.plugin("autoencoders", row()))
    made = trials.Job(
        key="small",
        search=chosen,
        row=base,
        dataset="toy",
        digest="d",
        train=x[:90],
        val=x[90:],
        seed=0,
        device="cpu",
    )
    return dataclasses.replace(made, **changes)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    return studies.storage(f"sqlite:///{tmp_path}/studies/studies.db")


def limits(n: int | None) -> trials.Limits:
    return trials.Limits(n_finished=n, deadline=None)


def test_a_study_is_gone_on_with_until_it_holds_enough(kept: Any) -> None:
    watch, task = Watch(), job()
    study = trials.study(task, kept)
    trials.add_trials(task, study, limits(2), watch)
    trials.add_trials(task, trials.study(task, kept), limits(5), watch)
    trials.add_trials(task, trials.study(task, kept), limits(5), watch)
    assert studies.n_finished(study) == len(watch.rows) == 5
    best = studies.winner(study)
    assert best.values == [min(t.values[0] for t in study.trials)]
    made = trials.row_of(task, best)
    assert made["code_size"] == best.params["code_size"]
    assert made["network"] == task.row["network"]


def test_two_workers_draw_other_values(kept: Any) -> None:
    task = job()
    for _ in range(2):
        study = trials.study(task, kept)
        trials.add_trials(task, study, limits(studies.n_finished(study) + 1), Watch())
    one, other = (trial.params["train.optimizer.lr"] for trial in study.trials)
    assert one != other


@pytest.mark.filterwarnings("ignore:Heartbeat of storage:UserWarning")
def test_of_two_that_begin_the_last_trial_one_goes_on(kept: Any) -> None:
    """As if another worker had asked for a trial between the count and the draw."""
    task, watch = job(), Watch()
    study = trials.study(task, kept)
    trials.add_trials(task, study, limits(1), watch)
    other, surplus = study.ask(), study.ask()
    studies.refuse_surplus(study, other, 2)
    with pytest.raises(UserError, match="enough"):
        studies.refuse_surplus(study, surplus, 2)
    for one in (other, surplus):
        study.tell(one, state=optuna.trial.TrialState.FAIL)
    trials.add_trials(task, study, limits(2), watch)
    assert studies.n_finished(study) == 2


@pytest.mark.parametrize("seed", [3, 2**32 - 1])
def test_a_seed_draws_the_same_and_goes_on(kept: Any, seed: int) -> None:
    drawn = []
    for digest in ("one", "other"):
        task = job(digest=digest)
        for n in (1, 2):
            study = trials.study(task, kept, seed=seed)
            trials.add_trials(task, study, limits(n), Watch())
        drawn.append([trial.params for trial in study.trials])
    assert drawn[0] == drawn[1]
    assert drawn[0][0] != drawn[0][1]


def test_another_space_is_another_study(kept: Any) -> None:
    one = job()
    other = job(search=dataclasses.replace(one.search, space=space_of(high=7)))
    assert one.name == job().name
    assert one.name.startswith("toy-small-")
    assert len({one.name, other.name, job(digest="e").name, job(seed=1).name}) == 4


def space_of(high: int) -> search_space.Space:
    return search_space.parse(SPACE | {"code_size": {"low": 2, "high": high}})


def test_a_stopped_trial_goes_on_from_its_checkpoint(kept: Any) -> None:
    task, stopped, whole = job(), Watch(stop_at=3), Watch()
    study = trials.study(task, kept, seed=0)
    with pytest.raises(KeyboardInterrupt):
        trials.add_trials(task, study, limits(1), stopped)
    assert [t.state.name for t in study.trials] == ["FAIL", "WAITING"]
    trials.add_trials(task, study, limits(1), whole)
    assert [t.state.name for t in study.trials] == ["FAIL", "COMPLETE"]
    assert stopped.epochs == [[1, 2, 3]]
    # the third epoch's checkpoint was not written yet, the second's only if there was time for it
    assert whole.epochs in ([[3, 4]], [[2, 3, 4]])
    assert stopped.rows == whole.rows
    assert (*stopped.numbers, *whole.numbers) == ((0, 0), (1, 0)), "number, and of which it is one"
    fresh = dataclasses.replace(task, digest="fresh")
    again = trials.study(fresh, kept, seed=0)
    trials.add_trials(fresh, again, limits(1), Watch())
    assert again.trials[0].params == study.trials[1].params
    assert again.trials[0].values == study.trials[1].values, "as if it had never been stopped"


def test_no_epoch_begins_after_the_deadline(kept: Any) -> None:
    task, watch = job(), Watch()
    study = trials.study(task, kept)
    trials.add_trials(task, study, trials.Limits(n_finished=None, deadline=1.0), watch)
    assert study.trials == []


def test_a_front_has_no_trial_that_another_beats(kept: Any) -> None:
    task = job(objective("reconstruction"), objective("code_size"))
    study = trials.study(task, kept)
    trials.add_trials(task, study, limits(6), Watch())
    assert [d.name for d in study.directions] == ["MINIMIZE", "MINIMIZE"]
    assert all(t.values[1] == t.params["code_size"] for t in study.trials)
    assert studies.winner(study, 1).values[1] == min(t.values[1] for t in study.trials)
    assert studies.winner(study).values[0] == min(t.values[0] for t in study.trials)


def test_bad_trials_are_pruned(kept: Any) -> None:
    """The smallest code and rate of the space learn less than the median of five good trials."""
    task, watch = job(pruner="median"), Watch()
    study = trials.study(task, kept)
    for _ in range(5):
        study.enqueue_trial(GOOD)
    trials.add_trials(task, study, limits(5), Watch())
    study.enqueue_trial({"code_size": 2, "train.optimizer.lr": 1e-3})
    trials.add_trials(task, study, limits(6), watch)
    assert study.trials[-1].state == optuna.trial.TrialState.PRUNED
    assert watch.n_pruned == 1


@pytest.mark.parametrize(
    ("name", "low", "high"), [("silhouette", 0.3, 1), ("pseudo_labels", 0.9, 1)]
)
def test_clusters_are_judged_without_labels(name: str, low: float, high: float, kept: Any) -> None:
    task = job(objective(name, n_clusters=3))
    study = trials.study(task, kept)
    study.enqueue_trial(GOOD)
    trials.add_trials(task, study, limits(1), Watch())
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
        ("sqlite:////proc/none/studies.db", "does not open"),
        ("sqlite:///other.db", "holds tables of something else"),
    ],
)
def test_a_database_that_does_not_open_is_told(
    url: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(sqlite3.connect("other.db")) as other:  # as MLflow leaves it
        other.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        other.execute("INSERT INTO alembic_version VALUES ('a1b2c3')")
        other.commit()
    with pytest.raises(UserError, match=message) as error:
        studies.storage(url)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_full_disk_is_told_and_no_trial_is_lost(kept: Any) -> None:
    task, url = job(), str(kept.url)
    study = trials.study(task, kept)
    trials.add_trials(task, study, limits(1), Watch())

    def full(connection: Any, _: Any) -> None:
        (n_pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {n_pages}")

    sqlalchemy.event.listen(kept.engine, "connect", full)
    kept.engine.dispose()
    with pytest.raises(UserError, match=r"studies\.db does not answer: .*full"):
        with studies.reported(url):
            trials.add_trials(task, study, limits(300), Watch())
    sqlalchemy.event.remove(kept.engine, "connect", full)
    kept.engine.dispose()
    n = studies.n_finished(study)
    trials.add_trials(task, study, limits(n + 1), Watch())
    assert studies.n_finished(study) == n + 1
