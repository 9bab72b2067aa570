"""A training that is stopped, however, resumes where it was, and never with changed params."""

import copy
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from helpers import finished, mlflow_store, warm
from helpers.project import ROOT, row
from helpers.stages import assert_clean, environment

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
LONG = row(epochs=100)  # of some 20 ms, so that a signal comes in the midst of it


def start(folder: Path) -> subprocess.Popen[str]:
    """Stage encode, which trains the row."""
    words = [warm.python(), "-u", str(ROOT / "pipelines/encode.py")]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, cwd=folder, env=environment(folder), stdout=pipe, text=True)


def train_until(folder: Path, epoch: int, sent: signal.Signals) -> int:
    """Sends the signal to the stage once the epoch is told; returns the exit code."""
    with start(folder) as stage:
        assert stage.stdout is not None
        for line in stage.stdout:
            if f"encode: narrow: epoch {epoch}," in line:
                stage.send_signal(sent)
                break
        stage.stdout.read()  # until the worker has ended, too
    assert not (folder / "artifacts/digits/encoders/narrow").exists()
    return stage.returncode


def train(folder: Path) -> str:
    """Output of the stage, which ends well."""
    with start(folder) as stage:
        output, _ = stage.communicate()
    assert stage.returncode == 0
    return output


def statuses(folder: Path) -> list[str]:
    """Statuses of the runs of the trained row."""
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.autoencoder = 'narrow'")
    return sorted(run.info.status for run in runs)


def outcome(folder: Path) -> list[bytes]:
    encoder = folder / "artifacts/digits/encoders/narrow"
    return [(encoder / name).read_bytes() for name in ("codes.npy", "history.csv")]


def test_a_training_stopped_three_times_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    mlflow_store.place(tmp_path)
    finished.make(tmp_path, autoencoders={"narrow": LONG})
    assert train_until(tmp_path, 5, signal.SIGTERM) == 143
    assert statuses(tmp_path) == ["KILLED"]
    assert train_until(tmp_path, 20, signal.SIGINT) == 130
    assert statuses(tmp_path) == ["KILLED"], "the run was gone on with"
    assert train_until(tmp_path, 50, signal.SIGKILL) == -signal.SIGKILL

    changed = copy.deepcopy(LONG)
    changed["train"]["optimizer"]["lr"] = 0.001
    finished.change(tmp_path, autoencoders={"narrow": changed})
    assert "epoch 1," in train(tmp_path), "an old checkpoint was resumed with changed params"
    assert statuses(tmp_path) == ["FINISHED", "KILLED"]

    finished.change(tmp_path, autoencoders={"narrow": LONG})
    output = train(tmp_path)
    # how often a checkpoint is written depends on the disk: the first epoch's is always there
    assert "epoch 1," not in output, "it began anew"
    assert "epoch 100," in output
    assert statuses(tmp_path) == ["FINISHED", "FINISHED"]
    assert_clean(tmp_path)

    resumed = outcome(tmp_path)
    for name in (".work", "artifacts/digits/encoders"):
        shutil.rmtree(tmp_path / name)
    assert "epoch 1," in train(tmp_path)
    assert outcome(tmp_path) == resumed, "an uninterrupted one has other numbers"


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
