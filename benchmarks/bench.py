"""Speed against peers, each figure a ratio measured in the same run.

    python benchmarks/bench.py [--quick] [--only training dec ...]

Every contender is a process that waits for jobs; they take turns, A B C A B C, so that a machine
that slows down slows all of them. The peers' processes run in .venv-peers. A whole run writes
results/bench.json and the table in docs/benchmarks.md; with --quick or --only it is printed alone.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from benched import ROOT, machine, write

from narrows import plugins

WORK = ROOT / ".work/bench"
PEERS = ROOT / ".venv-peers/bin/python"
STAGES = sorted(file.stem for file in (ROOT / "pipelines").glob("*.py"))
Seconds = dict[str, list[float]]
Figure = dict[str, Any]
ROWS: dict[str, dict[str, Any]] = {
    "deep": {"layers": [784, 500, 500, 2000, 10], "loss": "mse", "epochs": 1},
    "small": {"layers": [784, 128, 32], "loss": "bce", "epochs": 5},
}
TRAINING = {
    "ours": "ours",
    "ours, fp32": "ours_fp32",
    "raw PyTorch loop": "raw",
    "Lightning, DataLoader, MLFlowLogger": "lightning",
    "Keras, the documents' code": "keras_documents",
    "ClustPy": "clustpy_autoencoder",
    "matrix products alone": "gemm",
}
IN_PEERS = {"keras_documents", "clustpy_autoencoder", "clustpy_dec"}


class Contender:
    """A process that takes jobs."""

    def __init__(self, module: str, threads: int):
        self.module = module
        env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        env |= {"OMP_NUM_THREADS": str(threads), "KERAS_BACKEND": "tensorflow"}
        if module not in IN_PEERS:
            env["PYTHONPATH"] = str(ROOT / "src")
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
        """The seconds it took and what it found."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"bench: {self.module} ended; {self.log.name} tells why")
        told: Figure = json.loads(line)
        return told

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
        found = module.load(module.Config(), raw)
        rows = np.arange(n) % len(found.x)
        folder.mkdir(parents=True)
        np.save(folder / "val.npy", found.x[-n_val:])
        np.save(folder / "labels.npy", found.labels[rows])
        np.save(folder / "x.npy", found.x[rows])
    return str(folder)


def races(
    kind: str, job: Figure, rounds: int, running: dict[str, Contender]
) -> tuple[Seconds, dict[str, Any]]:
    """Seconds of every contender in every round, and what it found last."""
    seconds: Seconds = {name: [] for name in running}
    found = {}
    for i in range(rounds):
        for name, contender in running.items():
            told = contender.does(job)
            seconds[name].append(told["seconds"])
            found[name] = told["found"]
            print(f"bench: {kind}, round {i + 1}, {name}: {told['seconds']:.2f} s", flush=True)
    return seconds, found


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
    told = []
    for name, taken in seconds.items():
        ratios = [other / own for other, own in zip(taken, seconds[ours], strict=True)]
        told.append({"figure": kind, "of": name, "seconds": spread(taken), "ratio": spread(ratios)})
    return told


def spread(values: list[float]) -> dict[str, float]:
    """
    >>> spread([3.0, 1.0, 2.0])
    {'min': 1.0, 'median': 2.0, 'max': 3.0}
    """
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def training(asked: argparse.Namespace) -> list[Figure]:
    told: list[Figure] = []
    n = 2_560 if asked.quick else 20_480
    with contenders(TRAINING, asked.threads) as running:
        alone = list(running)[-1]  # the matrix products
        for row, network in ROWS.items():
            job = {**network, "batch_size": 256, "threads": asked.threads, "samples": samples(n)}
            for contender in running.values():  # imports, traces, tables
                contender.does(job | {"samples": samples(1024), "epochs": 1})
            seconds, found = races(f"training {row}", job, asked.rounds, running)
            one = figures(f"training, {row} row", seconds)
            for figure in one:
                turns = zip(seconds[alone], seconds[figure["of"]], strict=True)
                figure["gemm_share"] = spread([least / taken for least, taken in turns])
                figure["samples_per_s"] = n * job["epochs"] / figure["seconds"]["median"]
            one[-1]["gflop_per_s"] = spread([found[alone] / s / 1e9 for s in seconds[alone]])
            told += one
    return told


def dec(asked: argparse.Namespace) -> list[Figure]:
    modules = {"ours": "ours_dec", "ours, fp32": "ours_dec_fp32", "ClustPy": "clustpy_dec"}
    n = 1_024 if asked.quick else 5_000
    job = ROWS["deep"] | {"batch_size": 256, "threads": asked.threads, "samples": samples(n)}
    job |= {"epochs": 1, "repeats": 1} if asked.quick else {"epochs": 6, "repeats": 6}
    first = {"samples": samples(1024), "epochs": 1, "repeats": 1}
    seconds, found = raced("DEC", modules, job, first, min(3, asked.rounds))
    return with_nmi(figures("DEC, end to end", seconds), found, n)


def with_nmi(told: list[Figure], found: dict[str, Any], n: int) -> list[Figure]:
    """The same with the NMI of what each contender found in n samples."""
    from narrows import metrics

    labels = np.load(Path(samples(n), "labels.npy"))
    scores = {name: metrics.nmi(labels, np.array(clusters)) for name, clusters in found.items()}
    return [figure | {"nmi": scores[figure["of"]]} for figure in told]


def seeds(asked: argparse.Namespace) -> list[Figure]:
    """Ten models of one row from ten seeds, as one batch of models and one after the other."""
    modules = {"ours": "ours_together", "one after the other": "ours_one_by_one"}
    tiny = {"layers": [64, 128, 32], "loss": "bce", "batch_size": 64, "epochs": 20}
    small = ROWS["small"] | {"batch_size": 256, "epochs": 4}
    told = []
    for name, of, job in (("8 x 8", "digits", tiny), ("28 x 28", "mnist_5k", small)):
        job = job | {"threads": asked.threads, "samples": samples(1_280, 256, of), "repeats": 10}
        job |= {"epochs": 1} if asked.quick else {}
        raced_once, _ = raced(f"ten seeds, {name}", modules, job, {"repeats": 2}, asked.rounds)
        told += figures(f"ten seeds, pictures of {name}", raced_once)
    return told


def search(asked: argparse.Namespace) -> list[Figure]:
    modules = {"ours": "ours_search", "Optuna's Lightning example": "optuna_example"}
    job = ROWS["small"] | {"batch_size": 128, "threads": asked.threads}
    job |= {"samples": samples(1_024 if asked.quick else 3_500)}
    job |= {"epochs": 2 if asked.quick else 30, "repeats": 2 if asked.quick else 6}
    rates: Seconds = {name: [] for name in modules}
    with contenders(modules, asked.threads) as running:
        for i in range(1 if asked.quick else 2):
            for name, contender in running.items():
                told = contender.does(job)
                rates[name].append(told["found"])
                print(f"bench: search, round {i + 1}, {name}: {told['found']:.0f} an hour")
    hours = {name: [3600 / rate for rate in found] for name, found in rates.items()}
    one = figures("search, seconds a trial", hours)
    for figure in one:
        figure["trials_per_hour"] = spread(rates[figure["of"]])
    return one


def read_outs(asked: argparse.Namespace) -> list[Figure]:
    modules = {"ours": "ours_read_out", "umap-learn and scikit-learn": "plain_read_out"}
    n = 1_024 if asked.quick else 5_000
    job = ROWS["small"] | {"batch_size": 256, "threads": asked.threads, "samples": samples(n)}
    first = {"samples": samples(1024)}  # what numba compiles
    seconds, found = raced("UMAP + GMM", modules, job, first, min(3, asked.rounds))
    return with_nmi(figures("UMAP + GMM of 5,000 codes", seconds), found, n)


def logging(asked: argparse.Namespace) -> list[Figure]:
    """What an epoch costs in MLflow."""
    modules = {"ours": "ours_logging", "Lightning's MLFlowLogger": "lightning_logging"}
    job = ROWS["small"] | {"batch_size": 256, "threads": asked.threads, "samples": samples(1024)}
    job |= {"epochs": 10 if asked.quick else 200}
    seconds, _ = raced("logging", modules, job, {"epochs": 1}, asked.rounds)
    by_epoch = {name: [taken / job["epochs"] for taken in turns] for name, turns in seconds.items()}
    return figures("logging, seconds an epoch", by_epoch)


def imports(asked: argparse.Namespace) -> list[Figure]:
    """Of each stage's script, against torch alone."""
    codes = {"torch alone": "import torch"}
    codes |= {stage: f"import {stage}" for stage in STAGES}
    seconds: Seconds = {name: [] for name in codes}
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "pipelines")])}
    for _ in range(1 if asked.quick else 2):
        for name, code in codes.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], env=env, check=True)
            seconds[name].append(time.perf_counter() - began)
    return figures("imports", seconds, "torch alone")


def repro(asked: argparse.Namespace) -> list[Figure]:
    """Only where it is a no-op: a benchmark trains nothing."""
    command = [sys.executable, "-m", "dvc", "repro"]
    planned = subprocess.run([*command, "--dry"], cwd=ROOT, capture_output=True, text=True)
    stages = [line for line in planned.stdout.splitlines() if line.startswith("Running stage")]
    if planned.returncode or stages[1:]:  # the first, fetch, always looks at the files
        print("bench: dvc repro has something to do here, so it is not timed", flush=True)
        return []
    taken = []
    for _ in range(asked.rounds):
        began = time.perf_counter()
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        taken.append(time.perf_counter() - began)
    return [{"figure": "dvc repro, nothing to do", "of": "ours", "seconds": spread(taken)}]


PARTS = {
    "training": training,
    "dec": dec,
    "read-outs": read_outs,
    "seeds": seeds,
    "search": search,
    "logging": logging,
    "imports": imports,
    "repro": repro,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures speed against peers.")
    parser.add_argument("--quick", action="store_true", help="small sizes, once: does it run?")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--rounds", type=int, help="how often each contender takes its turn")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    asked.rounds = asked.rounds or (1 if asked.quick else 4)
    WORK.mkdir(parents=True, exist_ok=True)
    if not PEERS.exists():
        print(f"bench: no {PEERS.relative_to(ROOT)}, so no Keras and no ClustPy", flush=True)
    began = time.perf_counter()
    told = [figure for part in asked.only for figure in PARTS[part](asked)]
    about = machine(asked.threads) | {"seconds": round(time.perf_counter() - began)}
    write(about, told, None if asked.quick or asked.only != list(PARTS) else "bench")


if __name__ == "__main__":
    main()
