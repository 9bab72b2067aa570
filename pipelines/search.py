"""Adds trials to a search's study for as long as it is given: by hand, from cron, on any machine.

    python pipelines/search.py small-codes --timeout 2h --workers 2

Exit codes: 0 with new finished trials, 3 without one, 75 if another search runs and this one
leaves, 1 for a mistake that a sentence explains.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import filelock
from matplotlib.figure import Figure

from narrows import errors, gains, params, prepared, search, studies, trials, work
from narrows.errors import UserError

NOTHING_NEW, BUSY = 3, 75  # the latter is EX_TEMPFAIL: try again later
MAX_RESTARTS = 3  # of a worker that dies
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "": 1}


def main(*words: str) -> None:
    asked = arguments(words)
    p = params.load()
    params.select(p.searches, asked.search, "searches")
    if asked.storage:
        os.environ["NARROWS_STUDIES"] = asked.storage  # workers inherit it
    if asked.worker_of:
        worker(p, asked)
        return
    lock = filelock.FileLock(work.WORK / f"search-{asked.search}.lock", timeout=0)
    work.WORK.mkdir(exist_ok=True)
    try:
        lock.acquire()
    except filelock.Timeout:
        if asked.if_running == "leave":
            print(f"search: {asked.search} is being searched already", file=sys.stderr)
            sys.exit(BUSY)
    ends = time.monotonic() + asked.timeout if asked.timeout else None
    data = prepared.read(p.dataset.name)
    job = search.job(p, asked.search, data)
    study = search.study(job, studies.storage(studies.url(), asked.heartbeat))
    before, began = studies.ended(study), time.monotonic()
    target = None
    if asked.n_trials is not None:
        target = studies.n_finished(study) + asked.n_trials
    with trials.invocation(job, data) as (run, watching):
        if asked.workers == 1:
            search.add_trials(job, study, search.Limits(target, ends), watching)
        else:
            several(asked, str(run.id), target, ends)
        gained = studies.gains(study, job.objectives, before, time.monotonic() - began)
        page = report(gained, studies.plots(study, job.objectives))
        run.log_file(page)
        run.log_metrics(trials.best(gained))
    print(f"search: {len(gained.new)} trials ended, {page} tells what got better", flush=True)
    if gained.count("COMPLETE") + gained.count("PRUNED") == 0:
        sys.exit(NOTHING_NEW)


def report(gained: gains.Gains, plots: dict[str, Figure]) -> Path:
    """studies/<study>/<time>.html, and the same as latest.html."""
    folder = Path("studies", gained.study)
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}.html"
    page.write_text(gains.render(gained, plots), encoding="utf-8")
    shutil.copy(page, folder / "latest.html")
    return page


def worker(p: params.Params, asked: argparse.Namespace) -> None:
    """One of several processes that add trials to one study."""
    import torch

    torch.set_num_threads(asked.threads)
    data = prepared.read(p.dataset.name)
    job = search.job(p, asked.search, data)
    study = search.study(job, studies.storage(studies.url(), asked.heartbeat))
    ends = time.monotonic() + asked.timeout if asked.timeout else None
    parent = None if asked.worker_of == "None" else asked.worker_of
    limits = search.Limits(asked.target, ends)
    search.add_trials(job, study, limits, trials.watching(job, data, parent))


def several(asked: argparse.Namespace, parent: str, target: int | None, ends: float | None) -> None:
    """Runs workers until they end, replacing those that die; a signal ends them all."""
    threads = max(1, (os.cpu_count() or 1) // asked.workers)
    env = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}

    def started() -> subprocess.Popen[bytes]:
        words = [asked.search, "--worker-of", parent, "--threads", str(threads)]
        words += ["--heartbeat", str(asked.heartbeat)]
        words += [] if target is None else ["--target", str(target)]
        words += [] if ends is None else ["--timeout", f"{max(1, ends - time.monotonic()):.0f}s"]
        return subprocess.Popen([sys.executable, str(Path(__file__)), *words], env=env)

    running, restarts = [started() for _ in range(asked.workers)], 0
    try:
        while running:
            time.sleep(0.2)
            for one in [one for one in running if one.poll() is not None]:
                running.remove(one)
                if one.returncode == 0:
                    continue
                restarts += 1
                if restarts > MAX_RESTARTS:
                    raise UserError(f"{restarts} workers ended with errors, which stand above")
                print(f"search: a worker ended with {one.returncode}, another begins", flush=True)
                running.append(started())
    finally:
        for one in running:
            one.send_signal(signal.SIGTERM)
        for one in running:
            one.wait()


def arguments(words: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="search.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("search", help="key of `searches` in params.yaml")
    parser.add_argument("--timeout", type=seconds, help="time budget, like 90m or 2h")
    parser.add_argument("--n-trials", type=int, help="finished trials to add")
    parser.add_argument("--workers", type=int, default=1, help="processes on this machine")
    parser.add_argument("--storage", help="URL of the database of studies")
    parser.add_argument("--if-running", choices=("join", "leave"), default="join")
    parser.add_argument("--heartbeat", type=int, default=60, help="seconds between signs of life")
    for hidden in ("--worker-of", "--threads", "--target"):  # what a search tells its workers
        kind = str if hidden == "--worker-of" else int
        parser.add_argument(hidden, type=kind, help=argparse.SUPPRESS)
    asked = parser.parse_args(words)
    if asked.timeout is None and asked.n_trials is None and not asked.worker_of:
        parser.error("--timeout or --n-trials says when to end")
    return asked


def seconds(told: str) -> float:
    """
    >>> seconds("1h30m"), seconds("90")
    (5400.0, 90.0)
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", told)
    if not parts or "".join(number + unit for number, unit in parts) != told:
        raise argparse.ArgumentTypeError(f"a time like 90s, 30m or 2h is accepted, found {told!r}")
    return float(sum(float(number) * UNITS[unit] for number, unit in parts))


if __name__ == "__main__":
    errors.run(main)
