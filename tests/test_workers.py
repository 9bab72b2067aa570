"""Workers that fail are begun again as long as trials finish, and their runs are logged."""

import itertools
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from helpers import finished, mlflow_store, worker_tasks
from helpers.project import row
from narrows import tracking
from narrows.config import params
from narrows.config.params import Params
from narrows.errors import UserError
from narrows.search import trials, workers
from narrows.tracking import recording

LIBRARIES = ("narrows.search.workers",)


def counts(*numbers: int) -> Callable[[], int]:
    """The numbers of finished trials, one after the other; the last again and again."""
    return itertools.chain(numbers, itertools.repeat(numbers[-1])).__next__


@pytest.fixture
def p(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Params]:
    """params.yaml with a search, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NARROWS_WORKERS", "1")
    for name in ("NARROWS_ENGINE", "NARROWS_STUDIES", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    search = {
        "row": "narrow",
        "space": {"code_size": {"low": 4, "high": 8}},
        "objectives": [{"name": "reconstruction"}],
        "n_trials": 2,
    }
    sections = {"autoencoders": {"narrow": row(epochs=2)}, "searches": {"tuned": search}}
    finished.YAML(typ="safe").dump(
        {**finished.PARAMS, **sections, "clusterings": {}, "deep_clusterings": {}}
        | {"seeds": {"values": [0], "rows": [], "together": False}},
        Path("params.yaml"),
    )
    return params.load()


def never() -> bool:
    return False


def task_of(
    p: Params, n_finished: int | None = None, deadline: float | None = None
) -> workers.WorkerTask:
    limits = trials.Limits(n_finished, deadline)
    return workers.WorkerTask(p, "tuned", None, limits, n_threads=1, heartbeat=60)


def test_workers_that_fail_are_not_begun_again_for_ever(
    p: Params, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(workers, "work", worker_tasks.fail)
    with pytest.raises(UserError, match="4 workers failed, the last one said: the database stays"):
        workers.run_workers(task_of(p), 1, 0.0, counts(0), never, LIBRARIES)
    assert capfd.readouterr().out.count("another begins") == workers.MAX_RESTARTS


def test_a_finished_trial_makes_failures_forgotten(
    p: Params, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """After two failures a trial finishes: the third one is the first of four again."""
    monkeypatch.setattr(workers, "work", worker_tasks.fail)
    answers = counts(0, 0, 0, 0, 0, 1)  # a failure and its successor ask, each
    with pytest.raises(UserError, match="4 workers failed"):
        workers.run_workers(task_of(p, n_finished=9), 1, 0.0, answers, never, LIBRARIES)
    assert capfd.readouterr().out.count("another begins") == 2 + workers.MAX_RESTARTS


def test_no_worker_follows_when_there_is_enough(p: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three at once on one core; NARROWS_WORKERS is no bound."""
    monkeypatch.setattr(workers, "work", worker_tasks.end)
    workers.run_workers(task_of(p, n_finished=1), 3, 0.0, counts(1), never, LIBRARIES)
    workers.run_workers(task_of(p, deadline=time.time()), 1, 0.0, counts(1), never, LIBRARIES)
    assert Path("log").read_text() == "1\n" * 4


def test_a_task_travels_between_processes(p: Params) -> None:
    task = task_of(p, 3)
    assert pickle.loads(pickle.dumps((workers.work, task))) == (workers.work, task)


def test_runs_of_workers_elsewhere_are_logged_below_their_parent(
    p: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a node that reaches the studies, and not the driver's sqlite file of MLflow."""
    mlflow_store.place(tmp_path)
    finished.run(tmp_path, "fetch", "prepare")
    data = tracking.RunData("digits", "d", (1797, 64))
    with tracking.start_run("tuned search", "p", data, {"stage": "search"}) as parent:
        task = workers.WorkerTask(p, "tuned", parent.id, trials.Limits(2, None), 1, 60)
        monkeypatch.setenv(recording.REMOTE, "1")
        recordings = workers.work(task)
        assert [r.beginning.name for r in recordings] == ["tuned-0"], "it ends with its first trial"
        recordings += workers.work(task)
        monkeypatch.delenv(recording.REMOTE)
        tracking.replay(recordings)
    client = MlflowClient(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.stage = 'trial'")
    assert {run.info.run_name for run in runs} == {"tuned-0", "tuned-1"}
    assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {parent.id}
    assert all("objective/reconstruction" in run.data.metrics for run in runs)


def test_a_recorded_parent_is_the_parent_of_recorded_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    mlflow_store.place(tmp_path)
    data = tracking.RunData("digits", "d", (2, 3))
    monkeypatch.setenv(recording.REMOTE, "1")
    with tracking.record() as recordings:
        with tracking.start_run("all", "a", data, {}) as parent:
            with tracking.start_run("good", "g", data, {}, parent=parent.id) as run:
                run.log_metrics({"loss": 1.0}, step=1)
            with pytest.raises(UserError):
                with tracking.start_run("bad", "b", data, {}, parent=parent.id):
                    raise UserError("no")
    monkeypatch.delenv(recording.REMOTE)
    tracking.replay(pickle.loads(pickle.dumps(recordings)))
    client = MlflowClient(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    assert {name: run.info.status for name, run in runs.items()} == {
        "all": "FINISHED",
        "good": "FINISHED",
        "bad": "FAILED",
    }
    below = {runs[name].data.tags["mlflow.parentRunId"] for name in ("good", "bad")}
    assert below == {runs["all"].info.run_id}
