"""kill -9 of any process of a stage, at any moment: the next run ends as an uninterrupted one."""

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from helpers import finished, mlflow_store, warm
from helpers.project import ROOT, Project, row
from helpers.stages import assert_clean, environment

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
DRIVER = """
import time
from pathlib import Path
import numpy as np


def compute(n, attempt):
    attempt.checkpoints.mkdir(parents=True, exist_ok=True)
    (attempt.checkpoints / "last").write_text("x")
    time.sleep(0.1)
    np.save(attempt.folder / "codes.npy", np.random.default_rng(n).normal(size=1000))
    time.sleep(0.02)


def main():
    from narrows.stages import runner
    from narrows.store.rows import Call, Row

    home = Path("artifacts/d/rows")
    reads = (Path("x.npy"),)
    rows = [
        Row(f"rows.{n}", home / str(n), n, reads, Call("driver", "compute", (n,))) for n in range(6)
    ]
    runner.refresh("rows", home, rows, preload=())


if __name__ == "__main__":
    import driver
    from narrows import errors

    errors.run(driver.main)
"""


def start(folder: Path, *command: str, python: str = sys.executable) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    words = [python, *command]
    return subprocess.Popen(words, cwd=folder, env=environment(folder), stdout=pipe, stderr=pipe)


def processes(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Processes that work in the folder, each with what it is."""
    in_folder = {}
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder):
                in_folder[process] = " ".join(process.cmdline())
        except psutil.Error:  # it has ended, or is not ours
            continue
    servers = {process.pid for process, words in in_folder.items() if "forkserver" in words}
    for process, words in in_folder.items():
        try:
            inner = "worker" if process.ppid() in servers else "forkserver"
        except psutil.NoSuchProcess:
            continue
        yield process, inner if "forkserver" in words else "driver"


def kill(folder: Path, kind: str, stage: subprocess.Popen[bytes]) -> None:
    """Kills a process of that kind as soon as there is one."""
    while stage.poll() is None:
        for process, its_kind in processes(folder):
            if its_kind == kind and process.is_running():
                process.kill()
                return
        time.sleep(0.01)


def wait_until_alone(folder: Path) -> None:
    """Nothing that works in the folder outlives its driver by more than moments."""
    deadline = time.monotonic() + 30
    while left := list(processes(folder)):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def files(home: Path) -> dict[str, bytes]:
    return {str(f.relative_to(home)): f.read_bytes() for f in home.rglob("*") if f.is_file()}


@pytest.mark.parametrize("kind", ["driver", "worker", "forkserver"])
def test_rows_survive_kills_at_any_moment(kind: str, tmp_path: Path) -> None:
    draw = random.Random(kind)
    (tmp_path / "driver.py").write_text(DRIVER)
    (tmp_path / "x.npy").write_text("samples")
    home = tmp_path / "artifacts/d/rows"
    began = time.monotonic()
    assert start(tmp_path, "driver.py").wait() == 0
    seconds, whole = time.monotonic() - began, files(home)
    assert len(whole) == 13
    for _ in range(2):  # torture tries more
        for name in (".work", "artifacts"):
            shutil.rmtree(tmp_path / name)
        stage = start(tmp_path, "driver.py")
        time.sleep(seconds * draw.uniform(0.2, 0.9))
        kill(tmp_path, kind, stage)
        _, said = stage.communicate(timeout=100)
        assert b"Traceback (most recent call last)" not in said
        assert kind == "driver" or stage.returncode == 0, said
        wait_until_alone(tmp_path)
        assert start(tmp_path, "driver.py").wait() == 0
        assert files(home) == whole
        assert_clean(tmp_path)
        wait_until_alone(tmp_path)


def statuses(folder: Path) -> list[tuple[str, str]]:
    """Names and statuses of all runs."""
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    return sorted((run.info.run_name, run.info.status) for run in runs)


ENCODERS = {"pca", "narrow", "other"}


def test_a_training_survives_kills_of_its_worker(tmp_path: Path) -> None:
    """All workers are killed twice, when the others' rows are done and one is in training."""
    mlflow_store.place(tmp_path)
    finished.make(tmp_path, autoencoders={"narrow": row(epochs=200), "other": row(epochs=2)})
    stage = start(tmp_path, "-u", str(ROOT / "pipelines/encode.py"), python=warm.python())
    assert stage.stdout is not None
    n_done = n_kills = 0
    for line in stage.stdout:
        n_done += b" done, " in line
        if n_done == 2 and n_kills < 2 and b"encode: narrow: epoch" in line:
            n_kills += 1
            for worker in warm.workers(stage):
                worker.kill()
    _, said = stage.communicate()
    assert stage.returncode == 0, said
    assert n_kills == 2
    assert statuses(tmp_path) == [(key, "FINISHED") for key in sorted(ENCODERS)]
    assert_clean(tmp_path)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which `encode` is next."""
    project = Project(tmp_path_factory.mktemp("prepared"), {"narrow": row(epochs=1)})
    project.write(project.read() | {"searches": {}})
    project.repro("tune")
    return project


def test_a_killed_dvc_takes_its_stage_with_it(
    prepared: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one goes on at once, with no lock to remove, whichever shell DVC calls stages in:
    bash becomes what it calls, and Debian's sh waits for it."""
    params = prepared.read()
    params["autoencoders"]["endless"] = row(epochs=1_000_000)
    prepared.write(params)
    for shell in (shell for shell in ("/bin/sh", "/bin/bash") if Path(shell).exists()):
        monkeypatch.setenv("SHELL", shell)
        dvc = prepared.start("-m", "dvc", "repro", "--single-item", "encode")
        assert dvc.stdout is not None
        for line in dvc.stdout:
            if "encode: endless: epoch " in line:
                dvc.send_signal(signal.SIGKILL)
                break
        dvc.communicate(timeout=100)
        wait_until_alone(prepared.folder)
        assert ("endless", "FINISHED") not in statuses(prepared.folder)
    params["autoencoders"]["endless"] = row(epochs=2)
    prepared.write(params)
    prepared.repro("encode")
    assert ("endless", "FINISHED") in statuses(prepared.folder)
    assert not list(prepared.folder.rglob("*.part"))


def test_two_at_once_in_one_folder_break_nothing(tmp_path: Path) -> None:
    """The second one says so and ends."""
    (tmp_path / "driver.py").write_text(DRIVER)
    (tmp_path / "x.npy").write_text("samples")
    first = start(tmp_path, "driver.py")
    pid = tmp_path / ".work/locks/artifacts-d-rows.pid"
    while not pid.exists():
        assert first.poll() is None
        time.sleep(0.01)
    second = start(tmp_path, "driver.py")
    _, said = second.communicate()
    assert second.returncode == 1
    message = f"another process (pid {first.pid}) is writing it; wait for it or end it"
    assert said.decode() == f"narrows: artifacts/d/rows: {message}\n"
    assert first.wait() == 0
    assert len(files(tmp_path / "artifacts/d/rows")) == 13
    assert_clean(tmp_path)
