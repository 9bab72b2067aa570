"""A training that is stopped, however, resumes where it was, and never with changed params."""

import copy
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from helpers import warm
from helpers.project import Project, row

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
LONG = row(epochs=100)  # of some 20 ms, so that a signal comes in the midst of it


def project_in(folder: Path) -> Project:
    project = Project(folder, {"narrow": LONG})
    project.write(project.read() | {"searches": {}})
    return project


def train_until(project: Project, epoch: int, sent: signal.Signals) -> int:
    """Sends the signal to the stage once the epoch is told; returns the exit code."""
    with project.start("pipelines/encode.py", python=warm.python()) as stage:
        assert stage.stdout is not None
        for line in stage.stdout:
            if f"encode: narrow: epoch {epoch}," in line:
                stage.send_signal(sent)
                break
        stage.stdout.read()  # until the worker has ended, too
    assert not (project.folder / "artifacts/digits/encoders/narrow").exists()
    return stage.returncode


def statuses(project: Project) -> list[str]:
    """Statuses of the runs of the trained row."""
    client = MlflowClient(f"sqlite:///{project.folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.autoencoder = 'narrow'")
    return sorted(run.info.status for run in runs)


def outcome(project: Project) -> list[bytes]:
    folder = project.folder / "artifacts/digits/encoders/narrow"
    return [(folder / name).read_bytes() for name in ("codes.npy", "history.csv")]


def test_a_training_stopped_three_times_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    project = project_in(tmp_path / "stopped")
    project.repro("tune")
    assert train_until(project, 5, signal.SIGTERM) == 143
    assert statuses(project) == ["KILLED"]
    assert train_until(project, 20, signal.SIGINT) == 130
    assert statuses(project) == ["KILLED"], "the run was gone on with"
    assert train_until(project, 50, signal.SIGKILL) == -signal.SIGKILL

    params = project.read()
    changed = copy.deepcopy(params)
    changed["autoencoders"]["narrow"]["train"]["optimizer"]["lr"] = 0.001
    project.write(changed)
    output = project.dvc("repro", "encode")
    assert "epoch 1," in output, "an old checkpoint was resumed with changed params"
    assert statuses(project) == ["FINISHED", "KILLED"]

    project.write(params)
    output = project.dvc("repro", "encode")
    # how often a checkpoint is written depends on the disk: the first epoch's is always there
    assert "epoch 1," not in output, "it began anew"
    assert "epoch 100," in output
    assert statuses(project) == ["FINISHED", "FINISHED"]
    assert not list((project.folder / ".work/checkpoints").iterdir()), "finished work is cleared"

    resumed = outcome(project)
    for name in (".work", "artifacts/digits/encoders"):
        shutil.rmtree(project.folder / name)
    assert "epoch 1," in project.dvc("repro", "encode")
    assert outcome(project) == resumed, "an uninterrupted one has other numbers"


WITHIN_A_DESTRUCTOR = """
import os, time
from narrows import errors

class Dying:
    def __del__(self):
        os.kill(os.getpid(), {signal})
        sum(range(100))  # Python looks for signals between two steps

def stage():
    Dying()
    time.sleep(60)

errors.run(stage)
"""


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_a_signal_that_comes_within_a_destructor_is_not_lost(sent: int, code: int) -> None:
    program = WITHIN_A_DESTRUCTOR.format(signal=int(sent))
    done = subprocess.run([sys.executable, "-c", program], timeout=50, check=False)
    assert done.returncode == code
