"""Adds trials to a search's study for as long as it is given: by hand, from cron, on any machine.

    python pipelines/search.py small-codes --timeout 2h --workers 2

Exit codes: 0 with new finished trials, 3 without one, 75 if another search runs and this one
leaves, 1 for a mistake that a sentence explains.
"""

import argparse
import os
import re
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import filelock
from matplotlib.figure import Figure

from narrows import errors
from narrows.config import params, plugins
from narrows.data import prepared
from narrows.search import runs, studies, summary
from narrows.search import trials as search
from narrows.store import work

NOTHING_NEW, BUSY = 3, 75  # the latter is EX_TEMPFAIL: try again later
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "": 1}


def main(*words: str) -> None:
    asked = arguments(words)
    p = params.load()
    params.select(p.searches, asked.search, "searches")
    if asked.storage:
        os.environ["NARROWS_STUDIES"] = asked.storage  # workers inherit it
    with studies.reported(studies.url()):
        worker(p, asked) if asked.worker_of else invoke(p, asked)


def invoke(p: params.Params, asked: argparse.Namespace) -> None:
    """What one types: makes or joins the study, adds trials, and tells what got better."""
    lock = filelock.FileLock(work.WORK / f"search-{asked.search}.lock", timeout=0)
    work.WORK.mkdir(exist_ok=True)
    try:
        lock.acquire()
    except filelock.Timeout:
        if asked.if_running == "leave":
            print(f"search: {asked.search} is being searched already", file=sys.stderr)
            sys.exit(BUSY)
    ends = time.time() + asked.timeout if asked.timeout else None  # workers share the clock
    data = prepared.read(p.dataset.name)
    job = search.job(p, asked.search, data)
    study = search.study(job, studies.storage(studies.url(), asked.heartbeat))
    before, began = studies.ended(study), time.monotonic()
    target = None
    if asked.n_trials is not None:
        target = studies.n_finished(study) + asked.n_trials
    with runs.invocation(job, data) as (run, watching):
        if asked.workers == 1 and asked.launcher == "processes":
            search.add_trials(job, study, search.Limits(target, ends), watching)
        else:
            several(asked, str(run.id), target, ends)
        gained = studies.gains(study, job.objectives, before, time.monotonic() - began)
        page = report(gained, studies.plots(study, job.objectives))
        run.log_file(page)
        run.log_metrics(runs.best(gained))
    print(f"search: {len(gained.new)} trials ended, {page} tells what got better", flush=True)
    if gained.count("COMPLETE") + gained.count("PRUNED") == 0:
        sys.exit(NOTHING_NEW)


def report(gained: summary.Gains, plots: dict[str, Figure]) -> Path:
    """studies/<study>/<time>.html, and the same as latest.html."""
    folder = Path("studies", gained.study)
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}.html"
    page.write_text(summary.render(gained, plots), encoding="utf-8")
    shutil.copy(page, folder / "latest.html")
    return page


def worker(p: params.Params, asked: argparse.Namespace) -> None:
    """One of several processes that add trials to one study."""
    import torch

    torch.set_num_threads(asked.threads)
    data = prepared.read(p.dataset.name)
    job = search.job(p, asked.search, data)
    study = search.study(job, studies.storage(studies.url(), asked.heartbeat))
    parent = None if asked.worker_of == "None" else asked.worker_of
    limits = search.Limits(asked.target, asked.until)
    search.add_trials(job, study, limits, runs.watching(job, data, parent))


def several(asked: argparse.Namespace, parent: str, target: int | None, ends: float | None) -> None:
    """Runs workers until they end, wherever the launcher puts them."""
    threads = max(1, (os.cpu_count() or 1) // asked.workers)
    command = [str(Path(__file__)), asked.search, "--worker-of", parent]
    command += ["--threads", str(threads), "--heartbeat", str(asked.heartbeat)]
    command += [] if target is None else ["--target", str(target)]
    command += [] if ends is None else ["--until", str(ends)]
    plugins.load("launchers", asked.launcher).run(
        command, asked.workers, threads, asked.gpus_per_trial
    )


def arguments(words: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="search.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("search", help="key of `searches` in params.yaml")
    parser.add_argument("--timeout", type=seconds, help="time budget, like 90m or 2h")
    parser.add_argument("--n-trials", type=int, help="finished trials to add")
    parser.add_argument("--workers", type=int, default=1, help="processes on this machine")
    parser.add_argument(
        "--launcher", choices=plugins.available("launchers"), default="processes", help="of workers"
    )
    parser.add_argument(
        "--gpus-per-trial", type=float, default=0.0, help="what Ray keeps for a worker, like 0.25"
    )
    parser.add_argument("--storage", help="URL of the database of studies")
    parser.add_argument("--if-running", choices=("join", "leave"), default="join")
    parser.add_argument("--heartbeat", type=int, default=60, help="seconds between signs of life")
    hidden = {"--worker-of": str, "--threads": int, "--target": int, "--until": float}
    for word, kind in hidden.items():  # what a search tells its workers
        parser.add_argument(word, type=kind, help=argparse.SUPPRESS)
    asked = parser.parse_args(words)
    if asked.timeout is None and asked.n_trials is None and not asked.worker_of:
        parser.error("--timeout or --n-trials says when to end")
    if asked.gpus_per_trial and asked.launcher != "ray":
        parser.error("--gpus-per-trial goes with --launcher ray")
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
