"""Signals to a random process of a whole `dvc repro`, which is then typed again."""

from __future__ import annotations

import functools
import random
import signal
import time
from pathlib import Path

from mlflow import MlflowClient

from helpers.project import Project, row
from torture._base import Campaign, Lost, digest, ended, family, python, wait_until_empty

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP)
NUMBERS = ("codes.npy", "scores.json", "seeds.csv", "codes.csv", "n_clusters.csv")


def project(folder: Path) -> Path:
    """A small project, not yet run."""
    return Project(folder / "project", {"narrow": row(epochs=40)}).folder


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
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        folder, began = project(Path(place)), time.monotonic()
        repro(folder)
        return numbers(folder), time.monotonic() - began


def attempt(draw: random.Random, folder: Path) -> int:
    """One signal in one run."""
    expected, seconds = reference()
    place = project(folder)
    run = python(place, "-m", "dvc", "repro")
    time.sleep(draw.uniform(0.02, 0.95) * seconds)
    members = family(run.pid)
    if members:
        what = draw.choice(SIGNALS)
        member = draw.choice(members)
        member.send_signal(what)
        if what is signal.SIGSTOP:
            time.sleep(3)
            member.send_signal(signal.SIGCONT)
    run.communicate(timeout=20 * seconds + 60)
    wait_until_empty(place)
    repro(place)
    if numbers(place) != expected:
        raise Lost("other numbers than without a signal")
    check_runs(place)
    return 1


def check_runs(place: Path) -> None:
    """Every row has one finished run, and none says that it is still running."""
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


CAMPAIGN = Campaign("signals to a process of a whole dvc repro", attempt, n_sample=1)
