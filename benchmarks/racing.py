"""Contenders of a benchmark, which take turns, and what their times come to.

Every contender is a process that waits for jobs; they take turns, A B C A B C, so that a machine
that slows down slows all of them. The peers' processes run in .venv-peers.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from benched import ROOT, Figure

from narrows.config import plugins

WORK = ROOT / ".work/bench"
PEERS = ROOT / ".venv-peers/bin/python"
IN_PEERS = {"keras_documents", "clustpy_autoencoder", "clustpy_dec"}
Seconds = dict[str, list[float]]
ROWS: dict[str, dict[str, Any]] = {
    "deep": {"layers": [784, 500, 500, 2000, 10], "loss": "mse", "epochs": 1},
    "small": {"layers": [784, 128, 32], "loss": "bce", "epochs": 5},
}


class Contender:
    """A process that takes jobs."""

    def __init__(self, module: str, threads: int):
        self.module = module
        env = os.environ | {"OMP_NUM_THREADS": str(threads), "KERAS_BACKEND": "tensorflow"}
        path = env.pop("PYTHONPATH", "")
        if module not in IN_PEERS:
            env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), path])
        python = str(PEERS) if module in IN_PEERS else sys.executable
        self.log = (WORK / f"{module}.log").open("w")
        self.process = subprocess.Popen(
            [python, str(ROOT / "benchmarks/contend.py"), module],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def does(self, job: Figure) -> Figure:
        """The seconds that it took and its outcome."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"bench: {self.module} ended; {self.log.name} tells why")
        answer: Figure = json.loads(line)
        return answer

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


@contextmanager
def contenders(modules: dict[str, str], threads: int) -> Iterator[dict[str, Contender]]:
    """Those that can run here, by the names they have in the table."""
    here = {k: m for k, m in modules.items() if m not in IN_PEERS or PEERS.exists()}
    started = {name: Contender(module, threads) for name, module in here.items()}
    try:
        yield started
    finally:
        for contender in started.values():
            contender.end()


def samples(n: int, n_val: int = 512, of: str = "mnist_5k") -> str:
    """A folder with so many digits, those of the data set over and over."""
    folder = WORK / f"{of}-{n}"
    if not folder.exists():
        module, raw = plugins.load("datasets", of), ROOT / "data" / of / "raw"
        module.fetch(module.Config(), raw)
        dataset = module.load(module.Config(), raw)
        rows = np.arange(n) % len(dataset.x)
        folder.mkdir(parents=True)
        np.save(folder / "val.npy", dataset.x[-n_val:])
        np.save(folder / "labels.npy", dataset.labels[rows])
        np.save(folder / "x.npy", dataset.x[rows])
    return str(folder)


def races(
    kind: str, job: Figure, rounds: int, running: dict[str, Contender]
) -> tuple[Seconds, dict[str, Any]]:
    """Seconds of every contender in every round, and its last outcome."""
    seconds: Seconds = {name: [] for name in running}
    results = {}
    for i in range(rounds):
        for name, contender in running.items():
            answer = contender.does(job)
            seconds[name].append(answer["seconds"])
            results[name] = answer["outcome"]
            print(f"bench: {kind}, round {i + 1}, {name}: {answer['seconds']:.2f} s", flush=True)
    return seconds, results


def raced(
    kind: str, modules: dict[str, str], job: Figure, first: Figure, rounds: int
) -> tuple[Seconds, dict[str, Any]]:
    """What `races` tells of contenders that have done the job once, changed by `first`."""
    with contenders(modules, job["threads"]) as running:
        for contender in running.values():
            contender.does(job | first)
        return races(kind, job, rounds, running)


def figures(kind: str, seconds: Seconds, ours: str = "ours") -> list[Figure]:
    """Seconds and, round by round, how many times ours goes into them."""
    rows = []
    for name, taken in seconds.items():
        ratios = [other / own for other, own in zip(taken, seconds[ours], strict=True)]
        rows.append({"figure": kind, "of": name, "seconds": spread(taken), "ratio": spread(ratios)})
    return rows


def spread(values: list[float]) -> dict[str, float]:
    """
    >>> spread([3.0, 1.0, 2.0])
    {'min': 1.0, 'median': 2.0, 'max': 3.0}
    """
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}
