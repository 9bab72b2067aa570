"""Stage search: adds trials to a study for as long as it is given, and tells what got better."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import filelock
from matplotlib.figure import Figure

from narrows import engine
from narrows.config import params
from narrows.config.messages import plural
from narrows.data import prepared
from narrows.errors import say
from narrows.search import database, registry, runs, studies, summary, trials, workers
from narrows.search.problem import Problem, problem
from narrows.stages import fetch, prepare, pretrained, runner
from narrows.store import outputs, project

NOTHING_NEW, BUSY = 3, 75  # exit codes; the latter is EX_TEMPFAIL: try again later
WORKERS = "trials at once, each in a process of its own (default 1)"
LAUNCHER = "where workers run, for this search (default: what NARROWS_ENGINE says, or processes)"
GPUS = """share of a GPU that a worker occupies, like 0.25 (default 0: on this machine all workers
see all GPUs, with ray and slurm none)"""
STORAGE = """URL of the database of studies, which all machines of a search have to reach
(default: what NARROWS_STUDIES says, or sqlite:///studies/studies.db)"""
IF_RUNNING = """if this machine searches the same already: add to its study side by side with it, or
leave with exit code 75 (default join)"""
PATIENCE = "when to end: finished trials of the study since one was better than all before"
HEARTBEAT = """seconds between a trial's signs of life (default 60); a trial without one for three
times as long is begun again by another worker"""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "": 1}


def search(p: params.Params, options: argparse.Namespace) -> None:
    """Opens the study, adds trials, and writes the page that tells what got better.

    Ends the process with 3 where no trial has finished, with 75 where another search of the same
    key runs and this one is to leave.

    Args:
        options: what `checked` returns.
    """
    params.select(p.searches, options.search, "searches")
    deadline = time.time() + options.timeout if options.timeout else None  # workers share the clock
    if options.storage:
        os.environ["NARROWS_STUDIES"] = options.storage  # workers inherit it
    if options.launcher:
        os.environ["NARROWS_ENGINE"] = options.launcher
    database.share_url()
    url = database.url()
    with database.explain_errors(url), contextlib.ExitStack() as locks:
        locks.enter_context(_lock(options.search, options.if_running))
        taken = p.autoencoders[p.searches[options.search].row].config.input
        _prepare(p, taken)
        data = prepared.read(p.dataset.name, taken)
        task = problem(p, options.search, data)
        if sentence := registry.explained(task.search):
            say(f"search: {task.key}: {sentence}")
        study = trials.open_study(task, database.open_storage(url, options.heartbeat))
        n_finished = None
        if options.n_trials is not None:
            n_finished = studies.n_finished(study) + options.n_trials
        limits = trials.Limits(n_finished, deadline, patience=options.patience)
        gains = _add_trials(p, task, study, data, limits, options)
        say(f"search: {_outcome(options.search, gains)}")
    if gains.count("COMPLETE") + gains.count("PRUNED") == 0:
        sys.exit(NOTHING_NEW)


def _outcome(key: str, gains: summary.Gains) -> str:
    """What the pipeline makes of the best trial, by the first objective."""
    first = gains.objectives[0]
    if first["after"] is None:
        return f"no trial is complete and within its constraints yet, so {key} has no winner"
    value = f"{first['name']} {first['after'][first['name']]:.5g}"
    return (
        f"trial {first['after']['trial']} is the best ({value}); the next `dvc repro` makes the "
        f"best trial by then the encoder {key}"
    )


def _prepare(p: params.Params, input: str) -> None:
    """Makes what the trials read where it is not there: schedulers often give a machine that is
    new. Of several that begin at once in one folder, one does it."""
    with outputs.lock("prepare"):
        if all(file.exists() for file in runner.setting_of(p).data_files(input)):
            return
        fetch.main()
        prepare.main()
        pretrained.main()


def _add_trials(
    p: params.Params,
    problem: Problem,
    study: studies.Study,
    data: prepared.Prepared,
    limits: trials.Limits,
    options: argparse.Namespace,
) -> summary.Gains:
    """Adds trials in this process or in workers of their own, below one run of MLflow."""
    before, start = studies.ended(study), time.monotonic()
    with runs.start_search(problem, data) as (run, open_log):
        if options.workers == 1 and not options.gpus_per_trial and engine.name() == engine.HERE:
            trials.add_trials(problem, study, limits, open_log)
        else:
            _run_workers(p, study, limits, run.id, options)
        gains = database.twice(
            lambda: studies.gains(study, problem.objectives, before, time.monotonic() - start)
        )
        page = write_page(gains, studies.plots(study, problem.objectives))
        run.log_file(page)
        run.log_metrics(runs.best(gains))
    say(f"search: {plural(len(gains.new), 'trial')} ended, {page} tells what got better")
    return gains


def _run_workers(
    p: params.Params,
    study: studies.Study,
    limits: trials.Limits,
    parent: str | None,
    options: argparse.Namespace,
) -> None:
    task = workers.WorkerTask(
        params=p,
        key=options.search,
        parent=parent,
        limits=limits,
        n_threads=workers.threads_each(options.workers),
        heartbeat=options.heartbeat,
    )
    workers.run_workers(
        task,
        options.workers,
        options.gpus_per_trial,
        count=lambda: database.twice(lambda: studies.n_finished(study)),
        is_hopeless=lambda: database.twice(lambda: limits.is_hopeless(study)),
        preload=(*runner.TRAINING, "optuna"),
    )


@contextlib.contextmanager
def _lock(key: str, if_running: str) -> Iterator[None]:
    """Marks that a search of this key runs; does without where another one does already.

    Ends the process with 75 if `if_running` is "leave" and another search runs.
    """
    work = project.root() / outputs.WORK
    work.mkdir(exist_ok=True)
    lock = filelock.FileLock(work / f"search-{key}.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        if if_running == "leave":
            print(f"search: {key} is being searched already", file=sys.stderr)
            sys.exit(BUSY)
    try:
        yield
    finally:
        lock.release()


def write_page(gains: summary.Gains, plots: dict[str, Figure]) -> Path:
    """Writes studies/<study>/<time>.html, and the same as latest.html; returns the former."""
    folder = Path("studies", gains.study)
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}.html"
    page.write_text(summary.render(gains, plots), encoding="utf-8")
    shutil.copy(page, folder / "latest.html")
    return page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what a search takes on the command line."""
    parser.add_argument("search", help="key of `searches` in params.yaml")
    parser.add_argument("--timeout", type=seconds, help="when to end: a time like 90s, 30m or 2h")
    parser.add_argument("--n-trials", type=int, help="when to end: finished trials to add")
    parser.add_argument("--patience", type=int, help=PATIENCE)
    parser.add_argument("--workers", type=int, default=1, help=WORKERS)
    parser.add_argument("--launcher", choices=engine.ENGINES, help=LAUNCHER)
    parser.add_argument("--gpus-per-trial", type=float, default=0.0, help=GPUS)
    parser.add_argument("--storage", help=STORAGE)
    parser.add_argument("--if-running", choices=("join", "leave"), default="join", help=IF_RUNNING)
    parser.add_argument("--heartbeat", type=int, default=60, help=HEARTBEAT)


def checked(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Options of a command line; ends the process with 2 where they are wrong."""
    options = parser.parse_args(words)
    if (options.timeout, options.n_trials, options.patience) == (None, None, None):
        parser.error("--timeout, --n-trials or --patience says when to end")
    if options.patience is not None and options.patience < 1:
        parser.error("--patience is a number from 1 on")
    if options.workers < 1:
        parser.error("--workers is a number from 1 on")
    return options


def seconds(text: str) -> float:
    """Number of seconds that a duration like 90s, 30m or 2h has.

    >>> seconds("1h30m"), seconds("90")
    (5400.0, 90.0)
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"a time like 90s, 30m or 2h is accepted, found {text!r}")
    return float(sum(float(number) * UNITS[unit] for number, unit in parts))
