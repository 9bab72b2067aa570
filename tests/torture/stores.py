"""kill -9 and Ctrl-C while MLflow's store and the database of studies are made."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

from torture._base import Campaign, Lost, ended, family, python, wait_until_empty

MAKE = """
from narrows import tracking
from narrows.tracking.run import RunData
data = RunData("digits", "0" * 64, (1, 2))
with tracking.start_run("row", "identity", data, {"stage": "encode"}):
    pass
"""
STUDIES = """
from narrows.search import database, studies
storage = database.open_storage(database.url(), 60)
studies.open_study(storage, "study", ["minimize"], "none")
"""


def attempt(draw: random.Random, folder: Path) -> int:
    """One signal while a store is made; then it is opened as if nothing had been."""
    script = draw.choice((MAKE, STUDIES))
    making = python(folder, "-c", script)
    time.sleep(draw.uniform(1.0, 6.0))
    for process in family(making.pid):
        process.send_signal(draw.choice((signal.SIGKILL, signal.SIGINT)))
    making.communicate(timeout=120)
    wait_until_empty(folder)
    ended(python(folder, "-c", script))
    if left := list(folder.rglob("*.part")):
        raise Lost(f"left over: {left}")
    return 1


def together(draw: random.Random, folder: Path) -> int:
    """Several processes that make one store at the same moment."""
    processes = [python(folder, "-c", MAKE) for _ in range(draw.randint(2, 4))]
    for process in processes:
        ended(process)
    return len(processes)


CAMPAIGN = Campaign("kills while a store is made", attempt, n_sample=3)
TOGETHER = Campaign("several first runs on one new store", together, n_sample=1)
