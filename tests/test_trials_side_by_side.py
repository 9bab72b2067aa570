"""The pipeline's search: the same trials and the same winner, however many workers run them."""

import json
import shutil
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient

from helpers import warm
from helpers.project import Project, row
from narrows import engine
from narrows.config import params
from narrows.stages import runner, tune
from narrows.store import rows

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
LIBRARIES = (*runner.TRAINING, "optuna")
N_TRIALS, N_RANDOM = 6, 4
SEARCH = {
    "row": "narrow",
    "space": {
        "code_size": {"low": 4, "high": 8},
        "train.optimizer.lr": {"low": 0.001, "high": 0.1},
    },
    "objectives": [{"name": "reconstruction"}, {"name": "code_size"}],
    "n_trials": N_TRIALS,
    "n_startup_trials": N_RANDOM,
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose data is there."""
    project = Project(tmp_path_factory.mktemp("side") / "project", {"narrow": row(epochs=8)})
    project.write(project.read() | {"searches": {"tuned": SEARCH}})
    project.repro("prepare")
    return project


@pytest.fixture
def project(prepared: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The same in a folder of its own, which is the working directory."""
    shutil.copytree(prepared.folder, tmp_path / "project", symlinks=True)
    for name in ("NARROWS_ENGINE", "NARROWS_STUDIES", "NARROWS_WORKERS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    copy = object.__new__(Project)
    copy.folder = tmp_path / "project"
    monkeypatch.chdir(copy.folder)
    return copy


@dataclass(frozen=True)
class Left:
    """What a search has left."""

    winner: bytes
    """winner.json."""
    trials: dict[str, Any]
    """trials.json, without the seconds that trials took."""

    def results(self) -> list[str]:
        """Parameters and values of the trials with a result, whichever attempt at one it was."""
        done = [trial for trial in self.trials["trials"] if trial["state"] == "COMPLETE"]
        return sorted(json.dumps({k: v for k, v in t.items() if k != "trial"}) for t in done)


def search(n_workers: int) -> Left:
    """The search in the working directory, which so many workers run."""
    member = tune.row_of(params.load(), "tuned")
    fingerprint = member.fingerprint()
    helper = replace(member, call=replace(member.call, function="help_find"))
    attempts = [rows.attempt(member, fingerprint)]
    attempts += [rows.attempt(helper, fingerprint, writes=False)] * (n_workers - 1)
    outcomes = engine.each(runner.compute, attempts, preload=LIBRARIES, n_at_once=n_workers)
    assert [outcome.error for outcome in outcomes] == [None] * n_workers
    trials = json.loads((attempts[0].folder / "trials.json").read_text())
    assert all(trial.pop("seconds") > 0 for trial in trials["trials"])
    return Left((attempts[0].folder / "winner.json").read_bytes(), trials)


def runs_of(project: Project, stage: str) -> list[Any]:
    client = MlflowClient(f"sqlite:///{project.folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], f"tags.stage = '{stage}'"))


@pytest.fixture(scope="module")
def alone(prepared: Project, tmp_path_factory: pytest.TempPathFactory) -> Left:
    """What one worker finds whom nobody disturbs."""
    folder = tmp_path_factory.mktemp("alone") / "project"
    shutil.copytree(prepared.folder, folder, symlinks=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return search(1)


@pytest.mark.parametrize("n_workers", [2, 3])
def test_several_workers_leave_what_one_leaves(
    project: Project, alone: Left, n_workers: int
) -> None:
    """Four trials are random; the last two look at results, one after the other."""
    assert search(n_workers) == alone
    assert len(alone.trials["trials"]) == N_TRIALS
    (parent,), trials = runs_of(project, "search"), runs_of(project, "trial")
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id}
    assert sorted(int(run.data.tags["trial"]) for run in trials) == list(range(N_TRIALS))
    assert {run.info.status for run in (parent, *trials)} == {"FINISHED"}


@pytest.mark.parametrize("victim", ["worker", "driver"])
def test_a_search_that_is_killed_is_gone_on_with_by_more_workers(
    project: Project, alone: Left, victim: str
) -> None:
    """With kill -9, while one trial or two run; then the search has three workers."""
    python = warm.python() if victim == "worker" else sys.executable
    with project.start("pipelines/tune.py", python=python) as tuning:
        assert tuning.stdout is not None
        for line in tuning.stdout:
            if "reconstruction" in line:  # a trial has ended
                if victim == "worker":
                    ends = warm.workers(tuning)
                    ends[0].kill()
                else:
                    ends = psutil.Process(tuning.pid).children(recursive=True)
                    tuning.kill()
                break
        tuning.stdout.read()
    assert tuning.returncode == (0 if victim == "worker" else -signal.SIGKILL)
    assert not psutil.wait_procs(ends, timeout=60)[1]
    left = search(3)
    assert left.results() == alone.results()
    winners = [json.loads(result.winner) for result in (left, alone)]
    assert winners[0]["row"] == winners[1]["row"]
    assert winners[0]["objectives"] == winners[1]["objectives"]
