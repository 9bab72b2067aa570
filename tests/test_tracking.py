"""A real MLflow store on sqlite: what is logged, what a status says, and many writers at once."""

import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import mlflow_store, warm
from narrows import tracking
from narrows.errors import UserError
from narrows.tracking import provenance, system_metrics
from narrows.tracking import run as narrows_run
from narrows.tracking import store as narrows_store

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
DATA = tracking.RunData("digits", "abcdef0123456789", (10, 1, 8, 8))


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow_store.place(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)


def runs(filter_string: str = "") -> list[Any]:
    client = tracking.open_client()
    assert client is not None
    experiment = client.get_experiment_by_name("digits")
    return list(client.search_runs([experiment.experiment_id], filter_string))


def start(fingerprint: str = "f1", resumes: bool = False) -> Any:
    return tracking.start_run("deep", fingerprint, DATA, {"stage": "train"}, resumes=resumes)


def test_a_run_tells_what_it_was_and_what_it_found(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with start() as run:
        run.log_params({"network": {"name": "mlp", "hidden": [128]}, "code_size": 32})
        run.log_metrics({"val/loss": 0.5, "train/loss": 0.25}, step=1)
        run.log_image("reconstructions", np.full((8, 8, 3), 200, np.uint8), step=1)
        run.log_file(tmp_path / "config.json")
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "deep"
    expected_params = {"network": "mlp", "network.hidden": "[128]", "code_size": "32", "depth": "1"}
    assert run.data.params == expected_params
    assert run.data.metrics == {"val/loss": 0.5, "train/loss": 0.25}
    assert run.data.tags.items() >= {"stage": "train", "dataset": "digits"}.items()
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("digits", "abcdef01")
    assert json.loads(data.dataset.schema) == {"shape": [10, 1, 8, 8]}
    assert [(tag.key, tag.value) for tag in data.tags] == [("mlflow.data.context", "training")]
    files = [f.name for f in (tmp_path / "mlruns/artifacts/digits").rglob("*") if f.is_file()]
    assert "config.json" in files
    (picture,) = [name for name in files if name.endswith(".png")]
    assert picture.startswith("reconstructions+step+1+")


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED"), (SystemExit, "KILLED")],
)
def test_the_status_is_true(error: type[BaseException], status: str) -> None:
    with pytest.raises(error), start():
        raise error
    assert [run.info.status for run in runs()] == [status]


def test_a_repeated_stage_has_one_run_with_one_curve() -> None:
    for _ in range(2):
        with start() as run:
            run.log_metrics({"val/loss": 0.5}, step=1)
    (only,) = runs()
    assert len(tracking.open_client().get_metric_history(only.info.run_id, "val/loss")) == 1


def test_a_resumed_stage_goes_on_in_its_run() -> None:
    def interrupted() -> None:
        with start() as run:
            run.log_metrics({"val/loss": 0.5}, step=1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with start(resumes=True) as run:
        run.log_metrics({"val/loss": 0.5}, step=1)  # logged before the kill, its checkpoint was not
        run.log_metrics({"val/loss": 0.4}, step=2)
    (only,) = runs()
    assert only.info.status == "FINISHED"
    history = tracking.open_client().get_metric_history(only.info.run_id, "val/loss")
    assert [(point.step, point.value) for point in history] == [(1, 0.5), (2, 0.4)]


def test_epochs_that_are_logged_at_once_keep_their_times_and_are_there_once() -> None:
    """More metrics than MLflow takes in a request; the first epoch is there before."""
    epochs = [(n, 10_000 + n, {"val/loss": 1 / n, "lr": 0.5}) for n in range(1, 601)]
    with start() as run:
        run.log_epochs(epochs[:1])
    with start(resumes=True) as run:
        run.log_epochs(epochs)
    (only,) = runs()
    history = tracking.open_client().get_metric_history(only.info.run_id, "val/loss")
    assert (
        sorted(
            (point.step, point.timestamp, {"val/loss": point.value, "lr": 0.5}) for point in history
        )
        == epochs
    )


def test_scores_are_added_to_the_finished_run() -> None:
    with start():
        pass
    for fingerprint, score in (("f1", 0.75), ("unknown", 0.1)):
        with tracking.amend_run(fingerprint, DATA) as run:
            run.log_metrics({"test/acc": score})
    (only,) = runs()
    assert only.data.metrics == {"test/acc": 0.75}
    assert only.info.status == "FINISHED"


def test_a_run_whose_process_was_killed_does_not_stay_running() -> None:
    code = (
        "import os, signal; from narrows import tracking\n"
        "data = tracking.RunData('digits', 'abcdef0123456789', (10, 1, 8, 8))\n"
        "with tracking.start_run('deep', 'killed', data, {'stage': 'train'}):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([warm.python(), "-c", code]).returncode == -9
    assert [run.info.status for run in runs("tags.fingerprint = 'killed'")] == ["RUNNING"]
    with start("other"):
        assert [run.info.status for run in runs("tags.fingerprint = 'killed'")] == ["KILLED"]
        assert [run.info.status for run in runs("tags.fingerprint = 'other'")] == ["RUNNING"]


def test_a_run_that_finishes_while_orphans_are_looked_for_stays_finished(monkeypatch) -> None:
    """Between the search for running runs and the look at its process, a run finishes and ends."""
    with start("quick"):
        client, run = tracking.open_client(), runs("tags.fingerprint = 'quick'")[0]
    client.set_tag(run.info.run_id, "process", "1@1")  # a process that has ended
    seen = client.get_run(run.info.run_id)
    seen.info._status = "RUNNING"  # as it was when it was searched for
    monkeypatch.setattr(type(client), "search_runs", lambda *_, **__: [seen])
    narrows_run._kill_orphans.__wrapped__(client, run.info.experiment_id)
    assert client.get_run(run.info.run_id).info.status == "FINISHED"


EIGHT = """
import os, mlflow.store.tracking.sqlalchemy_store
from narrows import tracking
data = tracking.RunData("digits", "abcdef0123456789", (10, 1, 8, 8))
for worker in range(8):
    if not os.fork():
        for i in range(2):
            name = f"{worker}-{i}"
            with tracking.start_run(name, name, data, {}) as run:
                run.log_params({"worker": worker})
                for step in range(20):
                    run.log_metrics({"val/loss": step}, step=step)
        os._exit(0)
codes = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(8)]
assert codes == [0] * 8, codes
"""


def test_eight_workers_on_a_fresh_store_lose_nothing(tmp_path: Path) -> None:
    """MLflow looks for an experiment or a data set and then inserts it: both happen eight times."""
    (tmp_path / "mlruns/mlflow.db").unlink()
    subprocess.run([warm.python(), "-c", EIGHT], check=True)
    finished, names = runs(), [f"{worker}-{i}" for worker in range(8) for i in range(2)]
    assert sorted(run.info.run_name for run in finished) == names
    assert len({run.inputs.dataset_inputs[0].dataset.digest for run in finished}) == 1
    for run in finished:
        assert run.info.status == "FINISHED"
        assert len(tracking.open_client().get_metric_history(run.info.run_id, "val/loss")) == 20


WRITE = """
import sys; from narrows import tracking
data = tracking.RunData("digits", "abcdef0123456789", (10, 1, 8, 8))
with tracking.start_run(sys.argv[1], sys.argv[1], data, {}) as run:
    run.log_metrics({"val/loss": 1.0}, step=1)
"""


def test_a_write_is_tried_again_while_the_database_is_busy(monkeypatch) -> None:
    from mlflow import MlflowException

    monkeypatch.setattr("time.sleep", lambda seconds: None)
    errors = ["(sqlite3.OperationalError) database is locked", "no such table: runs"]
    errors = [errors[0], errors[0], errors[1]]

    def call(word: str) -> str:
        if errors:
            raise MlflowException(errors.pop(0))
        return word

    with pytest.raises(MlflowException, match="no such table"):  # of no use to try again
        narrows_store.write(call, "done")
    assert narrows_store.write(call, "done") == "done"
    errors += ["database is locked"] * narrows_store.N_TRIES
    with pytest.raises(MlflowException, match="is locked"):
        narrows_store.write(call, "done")
    assert not errors


def test_a_run_whose_process_cannot_be_read_is_left_alone() -> None:
    with start("first"):
        pass
    client, experiment = tracking.open_client(), runs()[0].info.experiment_id
    here = {"host": socket.gethostname()}
    client.create_run(experiment, run_name="untagged", tags=here)
    for process in ("x", "@", "-1@1", f"{10**30}@1", "1@1"):
        client.create_run(experiment, run_name=process, tags=here | {"process": process})
    narrows_run._kill_orphans.cache_clear()  # as in a process that has logged nothing yet
    with start("second"):
        pass
    killed = [run.info.run_name for run in runs() if run.info.status == "KILLED"]
    assert killed == ["1@1"]  # process 1 is there, and began later
    assert sum(run.info.status == "RUNNING" for run in runs()) == 5


def test_commits_do_not_wait_for_the_disk() -> None:
    """Of MLflow's own connections, which it makes when it needs them."""
    with start():
        pass
    engine = tracking.open_client()._tracking_client.store.engine
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1  # NORMAL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_two_projects_on_one_new_store_lose_nothing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/shared/mlflow.db")
    processes = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        command = [warm.python(), "-c", WRITE, name]
        processes += [subprocess.Popen(command, cwd=tmp_path / name)]
    assert [process.wait() for process in processes] == [0, 0]
    assert sorted(run.info.run_name for run in runs()) == ["a", "b"]


@pytest.mark.parametrize("moment", ["mlflow.db.part", "mlflow.db"])
def test_a_kill_while_the_store_is_made_breaks_nothing(tmp_path: Path, moment: str) -> None:
    (tmp_path / "mlruns/mlflow.db").unlink()
    process = subprocess.Popen([sys.executable, "-c", WRITE, "killed"])
    while not (tmp_path / "mlruns" / moment).exists():
        assert process.poll() is None
        time.sleep(0.001)
    time.sleep(0.05)
    process.kill()
    process.wait()
    with start() as run:
        run.log_metrics({"val/loss": 0.5}, step=1)
    assert [r.info.status for r in runs("tags.fingerprint = 'f1'")] == ["FINISHED"]
    assert not (tmp_path / "mlruns/mlflow.db.part").exists()


def test_a_store_that_is_half_made_is_said_with_what_mends_it(tmp_path: Path) -> None:
    file = tmp_path / "mlruns/mlflow.db"
    file.unlink()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY)")
    with pytest.raises(UserError, match=f"does not open: .*made anew: rm {file}$"), start():
        pass
    file.unlink()
    assert subprocess.run([warm.python(), "-c", WRITE, "anew"]).returncode == 0


def test_without_mlflow_nothing_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with start() as run:
        run.log_metrics({"val/loss": 0.5}, step=1)
        run.log_image("reconstructions", np.zeros((2, 2, 3), np.uint8), step=1)
    with tracking.amend_run("f1", DATA) as run:
        run.log_metrics({"test/acc": 0.75})
    assert os.listdir("mlruns") == ["mlflow.db"]


def test_a_store_that_does_not_open_is_told_without_its_password(monkeypatch) -> None:
    for dead in ("mysql+pymysql://me:secret@127.0.0.1:1/none", "sqlite:////dev/null/x.db"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", dead)
        with pytest.raises(UserError) as error:
            tracking.open_client()
        address = dead.replace("secret", "***")
        assert str(error.value).startswith(f"MLflow's store {address} does not open: ")
        assert "secret" not in str(error.value)


def test_a_store_without_its_driver_says_what_mends_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for store, advice in (
        ("postgresql://me@127.0.0.1:1/none", "let the URL begin with postgresql+psycopg://"),
        ("postgresql+psycopg://me@127.0.0.1:1/none", "pip install 'narrows[postgresql]'"),
    ):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
        with pytest.raises(UserError) as error:
            tracking.open_client()
        assert str(error.value) == f"MLflow's store {store} does not open: {advice}"


def test_a_store_that_is_no_url_is_told(monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    with pytest.raises(UserError, match=r"^MLFLOW_TRACKING_URI is './mlruns'; accepted"), start():
        pass


@pytest.mark.parametrize("root", ["s3://bucket/runs/", "{}/shared", "shared"])
def test_files_of_new_experiments_lie_where_the_variable_says(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", root.format(tmp_path))
    place = "s3://bucket/runs" if root.startswith("s3") else (tmp_path / "shared").as_uri()
    assert narrows_store.artifacts("digits") == f"{place}/digits"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert narrows_store.artifacts("digits") is None, "a server decides"


def test_the_store_is_the_one_of_the_project_or_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tracking.uri() == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert tracking.uri() == "http://127.0.0.1:5000"


def test_a_run_has_the_tags_that_mlflow_gives_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """User, branch, repository and context, without the passwords of their URLs."""
    for words in (
        ("init", "--quiet", "--initial-branch", "trunk"),
        ("remote", "add", "origin", "https://anna:secret@example.com/paper.git"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--allow-empty", "-qm", "one"),
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    context = {"team": "blue", "source": "https://anna:secret@example.com/job"}
    monkeypatch.setenv("MLFLOW_RUN_CONTEXT", json.dumps(context))
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "anna")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    monkeypatch.setenv("DVC_EXP_NAME", "wider")
    provenance._context.cache_clear()
    with start():
        pass
    (run,) = runs()
    expected = {
        "mlflow.user": "anna",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.branch": "trunk",
        "mlflow.source.git.repoURL": "https://anna:***@example.com/paper.git",
        "team": "blue",
        "source": "https://anna:***@example.com/job",
        "dvc_experiment": "wider",
    }
    assert run.data.tags.items() >= expected.items()
    assert len(run.data.tags["mlflow.source.git.commit"]) == 40
    assert "secret" not in str(run.data.tags)
    provenance._context.cache_clear()


def system_metrics_of(run_id: str) -> list[Any]:
    key = "system/cpu_utilization_percentage"
    return list(tracking.open_client().get_metric_history(run_id, key))


def test_a_long_run_has_metrics_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have steps of their own, which a run that is resumed does not take for its epochs."""
    monkeypatch.setattr(system_metrics, "START_S", 0.01)
    monkeypatch.setattr(system_metrics, "SAMPLE_S", 0.01)
    monkeypatch.setattr(system_metrics, "N_SAMPLES", 1)

    def interrupted() -> None:
        with start() as run:
            run.log_metrics({"val/loss": 0.5}, step=1)
            while len(system_metrics_of(run.id)) < 4:
                time.sleep(0.02)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with start(resumes=True) as run:
        run.log_metrics({"val/loss": 0.4}, step=2)
    (only,) = runs()
    assert only.data.metrics["val/loss"] == 0.4
    assert 0 <= only.data.metrics["system/system_memory_usage_percentage"] <= 100


def test_a_short_run_has_no_metrics_of_the_machine_and_no_thread() -> None:
    with start():
        assert any(isinstance(thread, threading.Timer) for thread in threading.enumerate())
    time.sleep(0.05)
    assert not any(isinstance(thread, threading.Timer) for thread in threading.enumerate())
    assert not [key for run in runs() for key in run.data.metrics]


def test_what_cannot_be_measured_stops_no_run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monitor = "mlflow.system_metrics.system_metrics_monitor.SystemMetricsMonitor"
    monkeypatch.setattr(system_metrics, "START_S", 0.0)
    monkeypatch.setattr(f"{monitor}.collect_metrics", lambda self: 1 / 0)
    monkeypatch.setattr(f"{monitor}.__init__", lambda *_, **__: 1 / 0)
    with start() as run:
        time.sleep(0.05)
        run.log_metrics({"val/loss": 0.5}, step=1)
    (only,) = runs()
    assert (only.info.status, only.data.metrics) == ("FINISHED", {"val/loss": 0.5})
    assert capfd.readouterr().err == ""
