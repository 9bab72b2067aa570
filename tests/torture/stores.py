"""kill -9 and Ctrl-C while MLflow's store and the database of studies are made."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil

from torture._base import Campaign, Lost, ended, family, output, python, wait_until_empty

N_KILLS = 3
MAKE = """
from narrows import tracking
from narrows.tracking.run import RunData
data = RunData("digits", "0" * 64, (1, 2))
with tracking.start_run("row", "identity", data, {"stage": "encode"}):
    pass
"""
STUDIES = """
from optuna import pruners, samplers
from narrows.search import database, studies
storage = database.open_storage(database.url(), 60)
nop, tpe = pruners.NopPruner(), samplers.TPESampler()
studies.open_study(storage, "study", ["minimize"], nop, tpe)
"""


def wait_for_files(folder: Path, making: subprocess.Popen[str]) -> None:
    """Waits until the first file of a store is there, or the process has ended."""
    while making.poll() is None and not list(folder.rglob("*.db*")):
        time.sleep(0.01)


def attempt(draw: random.Random, folder: Path) -> int:
    """Signals while a store is made; then it is opened as if nothing had been."""
    script, n_sent = draw.choice((MAKE, STUDIES)), 0
    for _ in range(N_KILLS):
        making = python(folder, "-c", script)
        wait_for_files(folder, making)
        time.sleep(draw.uniform(0.0, 2.5 if script is MAKE else 0.5))
        members, what = family(making.pid), draw.choice((signal.SIGKILL, signal.SIGINT))
        for process in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(what)
        n_sent += bool(members)
        output(making)
        wait_until_empty(folder)
    ended(python(folder, "-c", script))
    if left := list(folder.rglob("*.part")):
        raise Lost(f"left over: {left}")
    return n_sent


def together(draw: random.Random, folder: Path) -> int:
    """Several processes that make one store at the same moment."""
    processes = [python(folder, "-c", MAKE) for _ in range(draw.randint(2, 4))]
    for process in processes:
        ended(process)
    return len(processes)


CAMPAIGN = Campaign("kills while a store is made", attempt, n_sample=1)
TOGETHER = Campaign("several first runs on one new store", together, n_sample=1)
