"""Whole runs of `dvc repro`: undisturbed first ones beside load, and ones whose processes get
signals, typed again until they are done."""

from __future__ import annotations

import functools
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mlflow import MlflowClient

from helpers.project import Project, row
from torture._base import (
    Campaign,
    Lost,
    digest,
    end_group,
    ended,
    family,
    output,
    python,
    wait_until_empty,
)

KILLS = (signal.SIGKILL,)
OTHERS = (signal.SIGTERM, signal.SIGINT, signal.SIGSTOP)
N_SIGNALS = 6
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


def first(draw: random.Random, folder: Path) -> int:
    """One first run, whose stages have two to eight workers, beside a process that computes."""
    expected, _ = reference()
    place, n_workers = project(folder), draw.randint(2, 8)
    (place / "sitecustomize.py").write_text(CORES.format(n=n_workers))
    load = python(folder, "-c", "while True: pass")
    try:
        run = python(place, "-m", "dvc", "repro", NARROWS_WORKERS=str(n_workers))
        printed = output(run)
    finally:
        end_group(load)
    if run.returncode or "Traceback" in printed:
        raise Lost(f"{n_workers} workers, exit code {run.returncode}: {printed[-1500:]}")
    check(place, expected)
    return 1


def disturbed(signals: Sequence[signal.Signals], draw: random.Random, folder: Path) -> int:
    """Some signals in one run, which is typed again after each."""
    expected, seconds = reference()
    place, n_sent = project(folder), 0
    for _ in range(N_SIGNALS):
        run = python(place, "-m", "dvc", "repro")
        time.sleep(draw.uniform(0.02, 0.4) * seconds)
        if members := family(run.pid):
            what, member = draw.choice(signals), draw.choice(members)
            member.send_signal(what)
            n_sent += 1
            if what is signal.SIGSTOP:
                time.sleep(3)
                member.send_signal(signal.SIGCONT)
        output(run, 20 * seconds + 60)
        wait_until_empty(place)
        if run.returncode == 0:
            break
    repro(place)
    check(place, expected)
    return n_sent


def check(place: Path, expected: str) -> None:
    """The numbers are those of any run, every row has one finished run of MLflow's, and none says
    that it is still running."""
    if numbers(place) != expected:
        raise Lost("other numbers than those of an undisturbed run")
    client = MlflowClient(f"sqlite:///{place}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    finished = [r.info.run_name for r in runs if r.info.status == "FINISHED"]
    if running := [r.info.run_name for r in runs if r.info.status == "RUNNING"]:
        raise Lost(f"runs that say they are running: {running}")
    for key in ("pca", "narrow", "pca-kmeans", "narrow-kmeans", "narrow-dec"):
        if finished.count(key) != 1:
            raise Lost(f"{finished.count(key)} finished runs of {key}")


KILLED = functools.partial(disturbed, KILLS)
SIGNALLED = functools.partial(disturbed, OTHERS)
CAMPAIGNS = (
    Campaign("first runs beside load", first, n_sample=0),
    Campaign("kill -9 in a whole dvc repro", KILLED, n_sample=0),
    Campaign("SIGTERM, SIGINT, SIGSTOP in a whole dvc repro", SIGNALLED, n_sample=0),
)
