"""First runs beside load, and whole runs of `dvc repro` whose processes get signals, typed again
until they are done."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from mlflow import MlflowClient

from helpers import finished
from helpers.project import Project, row
from torture._base import (
    Campaign,
    Lost,
    digest,
    end_group,
    ended,
    family,
    python,
    stages,
    wait_until_empty,
)

KILLS = (signal.SIGKILL,)
OTHERS = (signal.SIGTERM, signal.SIGINT, signal.SIGSTOP)
N_SIGNALS = 6
STAGES = ("fetch", "prepare", "encode", "cluster")
NUMBERS = ("codes.npy", "scores.json", "seeds.csv", "codes.csv", "n_clusters.csv")
CORES = "import os\nos.sched_getaffinity = lambda pid: set(range({n}))\n"
"""A sitecustomize.py that makes a machine of so many cores of this one."""


def project(folder: Path) -> Path:
    """A small project, not yet run, without a store of MLflow."""
    place = Project(folder / "project", {"narrow": row(epochs=40)})
    sections = {"seeds": {"values": [0, 1], "rows": ["pca-kmeans"], "together": False}}
    sections |= {"evaluate": {"corruptions": {}, "map_rows": 50, "nll_draws": 2}}
    place.write(place.read() | sections)
    shutil.rmtree(place.folder / "mlruns")
    return place.folder


def numbers(folder: Path) -> str:
    """Digest of what the stages leave. MLflow's runs have other ids each time, and the winner of a
    search says its seconds, which name its row in .work/finished/."""
    return digest(folder / "artifacts", *NUMBERS) + digest(folder / "results", *NUMBERS)


def repro(folder: Path) -> str:
    """`dvc repro`, which has to end well."""
    return ended(python(folder, "-m", "dvc", "repro"))


@functools.cache
def reference() -> tuple[str, float]:
    """Digest of the numbers of an undisturbed run, and its seconds."""
    with tempfile.TemporaryDirectory() as place:
        folder, began = project(Path(place)), time.monotonic()
        repro(folder)
        return numbers(folder), time.monotonic() - began


def rows() -> dict[str, Any]:
    """Eight rows of `autoencoders:`, as many as there are workers at most."""
    return {f"narrow-{i}": row(epochs=1) for i in range(7)} | {"narrow": row(epochs=2)}


@functools.cache
def undisturbed() -> str:
    """Digest of what the stages of a first run leave where one worker computes them."""
    with tempfile.TemporaryDirectory() as place:
        finished.begin(Path(place), autoencoders=rows())
        ended(stages(Path(place), *STAGES, NARROWS_WORKERS="1"))
        return digest(Path(place), "codes.npy", "clusters.npz")


def first(draw: random.Random, folder: Path) -> int:
    """The first run of the stages of a project, by two to eight workers that log to a store which
    is not there yet, beside a process that computes."""
    expected, n_workers = undisturbed(), draw.randint(2, 8)
    finished.begin(folder, autoencoders=rows())
    (folder / "sitecustomize.py").write_text(CORES.format(n=n_workers))
    is_busy = os.getloadavg()[0] > (os.cpu_count() or 1)
    load = python(folder, "-c", "pass" if is_busy else "while True: pass")
    try:
        printed = ended(stages(folder, *STAGES, NARROWS_WORKERS=str(n_workers)))
    except Lost as error:
        raise Lost(f"{n_workers} workers: {error}") from None
    finally:
        end_group(load)
    if "Traceback" in printed or digest(folder, "codes.npy", "clusters.npz") != expected:
        raise Lost(f"{n_workers} workers, other numbers than by one: {printed[-1500:]}")
    check_runs(folder, [*rows(), "pca", "pca-kmeans", "narrow-kmeans"])
    return 1


def disturbed(signals: Sequence[signal.Signals], draw: random.Random, folder: Path) -> int:
    """Some signals in one run, which is typed again whenever it has ended, and until it is done."""
    expected, seconds = reference()
    place, n_sent = project(folder), 0
    while n_sent < N_SIGNALS:
        run = python(place, "-m", "dvc", "repro")
        reader = threading.Thread(target=run.communicate)
        reader.start()
        while n_sent < N_SIGNALS:
            reader.join(draw.uniform(0.02, 0.25) * seconds)
            if not reader.is_alive():
                break
            n_sent += send(draw.choice(signals), draw, run)
        reader.join(20 * seconds + 60)
        if reader.is_alive():
            end_group(run)
            raise Lost("dvc repro does not end")
        wait_until_empty(place)
        if run.returncode == 0:
            break
    repro(place)
    check(place, expected)
    return n_sent


def send(what: signal.Signals, draw: random.Random, run: subprocess.Popen[str]) -> int:
    """A signal to a random process of a run, which goes on after some seconds if it is stopped;
    returns how many were sent."""
    members = family(run.pid)
    if not members:
        return 0
    member = draw.choice(members)
    with contextlib.suppress(psutil.NoSuchProcess):
        member.send_signal(what)
        if what is signal.SIGSTOP:
            time.sleep(3)
            member.send_signal(signal.SIGCONT)
    return 1


def check(place: Path, expected: str) -> None:
    """The numbers and MLflow's runs are those of any run."""
    if numbers(place) != expected:
        raise Lost("other numbers than those of an undisturbed run")
    check_runs(place, ["pca", "narrow", "pca-kmeans", "narrow-kmeans", "narrow-dec"])


def check_runs(place: Path, keys: Sequence[str]) -> None:
    """Each of these rows has one finished run of MLflow's, and none says that it is running."""
    client = MlflowClient(f"sqlite:///{place}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    names = [r.info.run_name for r in runs if r.info.status == "FINISHED"]
    if running := [r.info.run_name for r in runs if r.info.status == "RUNNING"]:
        raise Lost(f"runs that say they are running: {running}")
    for key in keys:
        if names.count(key) != 1:
            raise Lost(f"{names.count(key)} finished runs of {key}")


KILLED = functools.partial(disturbed, KILLS)
SIGNALLED = functools.partial(disturbed, OTHERS)
CAMPAIGNS = (
    Campaign("first runs beside load", first, n_sample=0),
    Campaign("kill -9 in a whole dvc repro", KILLED, n_sample=0),
    Campaign("SIGTERM, SIGINT, SIGSTOP in a whole dvc repro", SIGNALLED, n_sample=0),
)
