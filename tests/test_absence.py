"""MLflow's store away, full, locked, deleted or moved: training goes on, and nothing is lost."""

import contextlib
import io
import json
import re
import shutil
import sqlite3
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.models import Model

from helpers import mlflow_store
from narrows import tracking
from narrows.errors import UserError
from narrows.store import outputs, project
from narrows.tracking import absence, models, recording, waiting
from narrows.tracking import store as narrows_store

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
DATA = tracking.RunData("digits", "abcdef0123456789", (10, 1, 8, 8))
PICTURE = np.full((8, 8, 3), 200, np.uint8)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an empty store of its own, in which no process has said anything yet."""
    folder = tmp_path / "here"
    folder.mkdir()
    mlflow_store.place(folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(absence, "_is_told", False)
    return folder


def start(fingerprint: str = "f1", **options: Any) -> Any:
    return tracking.start_run("deep", fingerprint, DATA, {"stage": "train"}, **options)


def train(fingerprint: str = "f1", file: Path | None = None) -> None:
    """What a stage logs."""
    with start(fingerprint) as run:
        run.log_params({"network": {"name": "mlp", "hidden": [128]}, "code_size": 32})
        for step in (1, 2):
            run.log_metrics({"val/loss": 1 / step}, step=step)
        run.log_image("reconstructions", PICTURE, step=2)
        if file is not None:
            run.log_file(file)


def runs(filter_string: str = "") -> list[Any]:
    client = tracking.open_client()
    assert client is not None
    experiment = client.get_experiment_by_name("digits")
    return list(client.search_runs([experiment.experiment_id], filter_string))


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server at whose port nothing listens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://anna:secret@127.0.0.1:1")
        yield
    absence.forget()


def test_what_a_store_that_is_away_did_not_take_is_logged_when_it_answers(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "config.json").write_text("{}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://anna:secret@127.0.0.1:1")
    began = time.time()
    train("f1", here / "config.json")
    with pytest.raises(KeyboardInterrupt), start("f2"):
        raise KeyboardInterrupt
    with tracking.amend_run("f1", DATA) as run:
        run.log_metrics({"test/acc": 0.75})
        run.show([run.id], {"note": "all"})
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    url = "http://anna:***@127.0.0.1:1"
    assert said.startswith(f"MLflow's store {url} does not answer: [Errno 111] Connection refused;")
    assert f"runs wait in {here}/.work/unlogged until `dvc repro`" in said
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    time.sleep(0.01)
    tracking.log_what_waits()
    assert capsys.readouterr().out == "MLflow: what it lacked of 3 runs is logged\n"
    assert waiting.is_empty()
    first, second = sorted(runs(), key=lambda run: run.data.tags["fingerprint"])
    assert (first.info.status, second.info.status) == ("FINISHED", "KILLED")
    assert began <= first.info.start_time / 1000 <= first.info.end_time / 1000 <= time.time()
    assert first.data.params["depth"] == "1"
    assert first.data.metrics == {"val/loss": 0.5, "test/acc": 0.75}
    assert first.data.tags["current"] == "true"
    files = {f.name.partition("+")[0] for f in (here / "mlruns/artifacts").rglob("*.*")}
    assert files >= {"config.json", "reconstructions"}
    history = tracking.open_client().get_metric_history(first.info.run_id, "val/loss")
    assert [point.step for point in history] == [1, 2]
    assert max(point.timestamp for point in history) <= first.info.end_time


def archived(folder: Path) -> bytes:
    """A model without anything in it, as `models.packed` hands it on."""
    Model().save(folder / "MLmodel")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.write(folder / "MLmodel", "MLmodel")
    return content.getvalue()


def test_a_model_waits_for_the_store(here: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
        train("f1")
        time.sleep(0.01)
        for _ in range(2):  # as two reports do while the store is away
            with tracking.amend_run("f1", DATA) as run:
                run.log_metrics({"test/acc": 0.75})
                assert run.lacks_model("abc")
                run.log_model("deep", "abc", archived(tmp_path))
                run.score_model("abc")
            time.sleep(0.01)
    tracking.log_what_waits()
    (run,) = runs()
    client = tracking.open_client()
    (output,) = run.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert (model.name, model.status, model.source_run_id) == ("deep", "READY", run.info.run_id)
    assert {metric.key: metric.value for metric in model.metrics} == {"test/acc": 0.75}
    assert models.find(client, run.info.run_id, "abc") == model.model_id


@pytest.mark.usefixtures("away")
def test_a_store_that_is_away_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = []
    monkeypatch.setattr(narrows_store, "ask", lambda client: questions.append(client) or 1 / 0)
    monkeypatch.setattr(narrows_store, "errors", lambda: (ZeroDivisionError,))
    for name in "abc":
        train(name)
    assert len(questions) == 1
    monkeypatch.setattr(absence, "_is_told", False)
    capsys.readouterr()
    for name in "de":  # as the next process does
        train(name)
    said = capsys.readouterr().out
    assert said.startswith(
        "MLflow's store http://anna:***@127.0.0.1:1 did not answer a moment ago;"
    )
    assert (said.count("\n"), len(questions)) == (1, 1)
    tracking.log_what_waits()  # as `fetch` does: nobody waits for a minute who types `dvc repro`
    assert len(questions) == 2


def test_a_store_that_goes_away_amid_a_run_gets_the_rest_later(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file becomes one that sqlite cannot write, as on a full disk."""
    with start() as run:
        run.log_metrics({"val/loss": 0.5}, step=1)
        engine = tracking.open_client()._tracking_client.store.engine
        with full(engine):
            run.log_metrics({"val/loss": 0.4}, step=2)
            run.log_epochs([(n, 1_000 + n, {"val/loss": 1 / n}) for n in (3, 4)])
            run.log_image("reconstructions", PICTURE, step=2)
    sentence = r"/mlflow\.db: its disk is full, .* MiB are free; nothing else stops"
    assert re.search(sentence, capsys.readouterr().out)
    assert [run.info.status for run in runs()] == ["RUNNING"]
    absence.forget()
    train("f2")  # the next run of any process
    finished = {run.data.tags["fingerprint"]: run for run in runs()}
    assert {run.info.status for run in finished.values()} == {"FINISHED"}
    history = tracking.open_client().get_metric_history(finished["f1"].info.run_id, "val/loss")
    points = sorted((point.step, point.value) for point in history)
    assert points == [(1, 0.5), (2, 0.4), (3, 1 / 3), (4, 0.25)]
    assert {point.timestamp for point in history} >= {1_003, 1_004}


@contextlib.contextmanager
def full(engine: Any) -> Iterator[None]:
    """A database that may not grow."""
    import sqlalchemy

    def refuse(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("INSERT", "UPDATE")):
            raise sqlite3.OperationalError("database or disk is full")

    sqlalchemy.event.listen(engine, "before_cursor_execute", refuse)
    yield
    sqlalchemy.event.remove(engine, "before_cursor_execute", refuse)


def test_a_store_that_another_program_locks_stops_no_training(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train("f0")
    monkeypatch.setattr(narrows_store, "N_TRIES", 1)
    tries = []
    with pytest.MonkeyPatch.context() as patch:
        from mlflow import MlflowException

        def locked(*args: Any, **kwargs: Any) -> None:
            tries.append(args)
            raise MlflowException("(sqlite3.OperationalError) database is locked")

        patch.setattr("mlflow.MlflowClient.create_run", locked)
        train("f1")
        train("f2")
    assert len(tries) == 1
    assert "does not take a run: (sqlite3.OperationalError) database is locked" in (
        capsys.readouterr().out
    )
    tracking.log_what_waits()
    assert len(runs()) == 3


@pytest.mark.usefixtures("away")
def test_runs_that_wait_do_not_fill_the_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        train(name)
    older, newer = sorted(waiting.home().glob("[0-9]*"))
    monkeypatch.setattr(waiting, "LIMIT", outputs.size_of(newer))
    absence.forget()  # a minute later
    capsys.readouterr()
    train("c")
    assert capsys.readouterr().out.startswith("MLflow: 1 runs that waited longest in ")
    assert (older.exists(), newer.exists()) == (False, True)


def test_a_run_that_is_damaged_where_it_waits_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
        for name in "abc":
            train(name)
    first, second, _ = sorted(waiting.home().glob("[0-9]*"))
    (first / waiting.RUN).write_text('{"beginning": [')
    record = json.loads((second / waiting.RUN).read_text())
    record["calls"][3][1][1] = {"picture": "../../../mlruns/mlflow.db"}
    (second / waiting.RUN).write_text(json.dumps(record))
    tracking.log_what_waits()
    assert [run.data.tags["fingerprint"] for run in runs()] == ["c"]
    assert waiting.is_empty()


def test_what_a_store_refuses_while_it_answers_holds_up_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
        with start() as run:
            run.log_metrics({"no\nname": 1.0})
            run.log_metrics({"test/acc": 0.5})
    tracking.log_what_waits()
    assert "MLflow refuses the epochs of deep: Invalid value" in capsys.readouterr().out
    (only,) = runs()
    assert (only.data.metrics, only.info.status) == ({"test/acc": 0.5}, "FINISHED")


def test_a_task_on_another_machine_hands_its_run_to_the_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the server is away; the driver's folder is what stays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
        patch.setenv(recording.REMOTE, "1")
        with tracking.record() as recordings:
            train()
    assert waiting.is_empty()
    absence.forget()
    tracking.replay(recordings)
    assert [run.info.status for run in runs()] == ["FINISHED"]


def test_a_store_that_needs_a_hand_costs_no_finished_row(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a task elsewhere has recorded waits, too, where the driver's store is an old one."""
    monkeypatch.setenv(recording.REMOTE, "1")
    with tracking.record() as recordings:
        train()
    monkeypatch.delenv(recording.REMOTE)
    version(here / "mlruns/mlflow.db", "cc1f77228345")
    tracking.replay(recordings)
    assert not waiting.is_empty()


def test_a_run_that_waited_takes_no_later_one_s_place(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
        train("f1")
    absence.forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "log_waiting", lambda: None)  # another process is at it
        with start("f1") as later:
            pass
    tracking.log_what_waits()
    assert [run.info.run_id for run in runs()] == [later.id]
    assert waiting.is_empty()


def test_runs_below_another_one_wait_for_it(here: Path) -> None:
    """A search goes on whose trials end while the store is away; it comes back before the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
        with start("search") as search:
            with start("trial", parent=search.id):
                pass
            patch.delenv("MLFLOW_TRACKING_URI")
            absence.forget()
            train("f1")
            assert [run.data.tags["fingerprint"] for run in runs()] == ["f1"]
    tracking.log_what_waits()
    by_name = {run.data.tags["fingerprint"]: run for run in runs()}
    parent = by_name["trial"].data.tags["mlflow.parentRunId"]
    assert parent == by_name["search"].info.run_id


def test_an_experiment_that_was_deleted_is_restored(capsys: pytest.CaptureFixture[str]) -> None:
    train("f1")
    client = tracking.open_client()
    experiment = client.get_experiment_by_name("digits").experiment_id
    client.delete_experiment(experiment)
    train("f2")  # by a process that knows it as it was
    assert "does not take a run: " in capsys.readouterr().out
    tracking.log_what_waits()
    assert "MLflow's experiment digits had been deleted and is restored" in capsys.readouterr().out
    assert client.get_experiment(experiment).lifecycle_stage == "active"
    assert {run.data.tags["fingerprint"] for run in runs()} == {"f1", "f2"}


def begin_again() -> None:
    """Forgets the store, as the next process has."""
    from mlflow.tracking._tracking_service import utils

    narrows_store._connect.cache_clear()
    utils._tracking_store_registry._get_store_with_resolved_uri.cache_clear()
    utils._artifact_repos_cache.clear()


def version(file: Path, number: str) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (number,))
        connection.commit()


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        ("cc1f77228345", r"mlflow db upgrade sqlite:///{}$"),
        ("ffffffffffff", r"A newer MLflow has written it: pip install --upgrade mlflow$"),
    ],
)
def test_a_store_of_another_mlflow_is_said_with_the_command_that_mends_it(
    here: Path, number: str, remedy: str
) -> None:
    train()
    file = here / "mlruns/mlflow.db"
    version(file, number)
    begin_again()
    with pytest.raises(UserError, match=remedy.format(file)), start("f2"):
        raise AssertionError("it begins")


def test_a_file_that_is_no_database_is_said_with_the_command_that_mends_it(here: Path) -> None:
    file = here / "mlruns/mlflow.db"
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(UserError, match=f"mv {file} {file}.old$"), start():
        raise AssertionError("it begins")


def copied(here: Path, there: Path, is_moved: bool) -> None:
    (shutil.move if is_moved else shutil.copytree)(here, there)
    if is_moved:
        here.write_text("a file: whoever writes below it fails")


@pytest.mark.parametrize("is_moved", [False, True], ids=["copied", "moved"])
def test_a_project_that_is_elsewhere_writes_there(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_moved: bool
) -> None:
    config = tmp_path / "config.json"
    config.write_text("{}")
    train("f1", config)
    before = {f.relative_to(here) for f in here.rglob("*") if f.is_file()}
    monkeypatch.chdir(tmp_path)
    there = tmp_path / "100 % ours, 'there'"
    copied(here, there, is_moved)
    monkeypatch.chdir(there)
    begin_again()
    with tracking.amend_run("f1", DATA) as run:
        run.log_image("map", PICTURE, step=0)
    train("f2", config)
    home = f"{there.as_uri()}/mlruns/artifacts/digits"
    assert {run.info.artifact_uri for run in runs()} == {
        f"{home}/{run.info.run_id}/artifacts" for run in runs()
    }
    for run in runs():
        files = [f.path for f in tracking.open_client().list_artifacts(run.info.run_id)]
        assert "config.json" in files
    if is_moved:
        assert here.is_file()
    else:
        assert {f.relative_to(here) for f in here.rglob("*") if f.is_file()} == before


def test_a_store_of_several_projects_keeps_its_artifacts_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    mlflow_store.place(shared)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{shared}/mlruns/mlflow.db")
    train()
    assert len(list((shared / "mlruns/artifacts").rglob("*.png"))) == 1


def test_letters_of_the_folders_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow writes the folder into an SQL command where it makes its own experiment."""
    folder = tmp_path / 'it\'s a "quote", 50% off #1 & ü'
    folder.mkdir()
    monkeypatch.chdir(folder)
    train()
    assert len(list((folder / "mlruns/artifacts").rglob("*.png"))) == 1


def test_letters_that_mlflow_cannot_take_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"folder with % in its name.*rename the folder"):
        narrows_store._refuse_letters("/home/50% off/.venv/mlflow/__init__.py")
    (tmp_path / "what?").mkdir()
    monkeypatch.chdir(tmp_path / "what?")
    with pytest.raises(UserError, match=r"cannot hold the \? of .*; rename"), start():
        raise AssertionError("it begins")


def test_sqlite_has_no_wal_on_a_file_system_of_several_machines(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(project, "network_file_system", lambda path: "nfs4")
    train()
    with tracking.open_client()._tracking_client.store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
    project.warn_of_network(here / "mlruns/mlflow.db", "MLFLOW_TRACKING_URI")
    sentence = capsys.readouterr().out
    assert "mlflow.db is on a network file system (nfs4), where sqlite's locks do not" in sentence
    assert sentence.endswith("or name a server's database in MLFLOW_TRACKING_URI\n")


def test_file_systems_of_several_machines_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    from psutil._ntuples import sdiskpart

    mounts = [("/", "ext4"), ("/net", "nfs4"), ("/net/disk", "xfs"), ("/s", "fuse.sshfs")]
    parts = [sdiskpart("x", place, kind, "") for place, kind in mounts]
    monkeypatch.setattr("psutil.disk_partitions", lambda all: parts)
    kinds = [project.network_file_system(Path(p)) for p in ("/a", "/net/a", "/net/disk/a", "/s/b")]
    assert kinds == [None, "nfs4", None, "sshfs"]
