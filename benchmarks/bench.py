"""Speed against peers, each figure a ratio measured in the same run.

    python benchmarks/bench.py [--quick] [--only training dec ...]

A whole run writes benchmarks/results/bench.json and the table in docs/benchmarks.md; with --quick
or --only it is printed alone.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from benched import ROOT, Figure, machine, write
from racing import PEERS, ROWS, WORK, Seconds, contenders, figures, raced, races, samples, spread

STAGES = sorted(file.stem for file in (ROOT / "pipelines").glob("*.py"))
TRAINING = {
    "ours": "ours",
    "ours, fp32": "ours_fp32",
    "raw PyTorch loop": "raw",
    "Lightning, DataLoader, MLFlowLogger": "lightning",
    "Keras, the documents' code": "keras_documents",
    "ClustPy": "clustpy_autoencoder",
    "matrix products alone": "gemm",
}


def training(options: argparse.Namespace) -> list[Figure]:
    results: list[Figure] = []
    n = 2_560 if options.quick else 20_480
    with contenders(TRAINING, options.threads) as running:
        alone = list(running)[-1]  # the matrix products
        for row, network in ROWS.items():
            job = {**network, "batch_size": 256, "threads": options.threads, "samples": samples(n)}
            for contender in running.values():  # imports, traces, tables
                contender.does(job | {"samples": samples(1024), "epochs": 1})
            seconds, outcomes = races(f"training {row}", job, options.rounds, running)
            rows = figures(f"training, {row} row", seconds)
            for figure in rows:
                turns = zip(seconds[alone], seconds[figure["of"]], strict=True)
                figure["gemm_share"] = spread([least / taken for least, taken in turns])
                figure["samples_per_s"] = n * job["epochs"] / figure["seconds"]["median"]
            rows[-1]["gflop_per_s"] = spread([outcomes[alone] / s / 1e9 for s in seconds[alone]])
            results += rows
    return results


def dec(options: argparse.Namespace) -> list[Figure]:
    modules = {"ours": "ours_dec", "ours, fp32": "ours_dec_fp32", "ClustPy": "clustpy_dec"}
    n = 1_024 if options.quick else 5_000
    job = ROWS["deep"] | {"batch_size": 256, "threads": options.threads, "samples": samples(n)}
    job |= {"epochs": 1, "repeats": 1} if options.quick else {"epochs": 6, "repeats": 6}
    first = {"samples": samples(1024), "epochs": 1, "repeats": 1}
    seconds, outcomes = raced("DEC", modules, job, first, min(3, options.rounds))
    return with_nmi(figures("DEC, end to end", seconds), outcomes, n)


def with_nmi(rows: list[Figure], outcomes: dict[str, Any], n: int) -> list[Figure]:
    """The same with the NMI of what each contender found in n samples."""
    from narrows.clustering import metrics

    labels = np.load(Path(samples(n), "labels.npy"))
    scores = {name: metrics.nmi(labels, np.array(clusters)) for name, clusters in outcomes.items()}
    return [figure | {"nmi": scores[figure["of"]]} for figure in rows]


def seeds(options: argparse.Namespace) -> list[Figure]:
    """Ten models of one row from ten seeds, as one batch of models and one after the other."""
    modules = {"ours": "ours_together", "one after the other": "ours_one_by_one"}
    tiny = {"layers": [64, 128, 32], "loss": "bce", "batch_size": 64, "epochs": 20}
    small = ROWS["small"] | {"batch_size": 256, "epochs": 4}
    results = []
    for name, of, job in (("8 x 8", "digits", tiny), ("28 x 28", "mnist_5k", small)):
        job = job | {"threads": options.threads, "samples": samples(1_280, 256, of), "repeats": 10}
        job |= {"epochs": 1} if options.quick else {}
        raced_once, _ = raced(f"ten seeds, {name}", modules, job, {"repeats": 2}, options.rounds)
        results += figures(f"ten seeds, pictures of {name}", raced_once)
    return results


def search(options: argparse.Namespace) -> list[Figure]:
    modules = {"ours": "ours_search", "Optuna's Lightning example": "optuna_example"}
    job = ROWS["small"] | {"batch_size": 128, "threads": options.threads}
    job |= {"samples": samples(1_024 if options.quick else 3_500)}
    job |= {"epochs": 2 if options.quick else 30, "repeats": 2 if options.quick else 6}
    outcomes: dict[str, list[Figure]] = {name: [] for name in modules}
    with contenders(modules, options.threads) as running:
        for i in range(1 if options.quick else min(3, options.rounds)):
            for name, contender in running.items():
                outcome = contender.does(job)["outcome"]
                outcomes[name].append(outcome)
                rate, seconds = outcome["per_hour"], outcome["cpu_seconds"]
                print(f"bench: search, round {i + 1}, {name}: {rate:.0f} an hour, {seconds:.1f} s")
    hours = {k: [3600 / turn["per_hour"] for turn in turns] for k, turns in outcomes.items()}
    rows = figures("search, seconds a trial", hours)
    for figure in rows:
        turns = outcomes[figure["of"]]
        figure["trials_per_hour"] = spread([turn["per_hour"] for turn in turns])
        figure["cpu_seconds"] = spread([turn["cpu_seconds"] for turn in turns])
        pairs = zip(turns, outcomes["ours"], strict=True)
        ratios = [turn["cpu_seconds"] / ours["cpu_seconds"] for turn, ours in pairs]
        figure["cpu_ratio"] = spread(ratios)
    return rows


def read_outs(options: argparse.Namespace) -> list[Figure]:
    modules = {"ours": "ours_read_out", "umap-learn and scikit-learn": "plain_read_out"}
    n = 1_024 if options.quick else 5_000
    job = ROWS["small"] | {"batch_size": 256, "threads": options.threads, "samples": samples(n)}
    first = {"samples": samples(1024)}  # what numba compiles
    seconds, outcomes = raced("UMAP + GMM", modules, job, first, min(3, options.rounds))
    return with_nmi(figures("UMAP + GMM of 5,000 codes", seconds), outcomes, n)


def logging(options: argparse.Namespace) -> list[Figure]:
    """What an epoch costs in MLflow."""
    modules = {"ours": "ours_logging", "Lightning's MLFlowLogger": "lightning_logging"}
    job = ROWS["small"] | {"batch_size": 256, "threads": options.threads, "samples": samples(1024)}
    job |= {"epochs": 10 if options.quick else 200}
    seconds, _ = raced("logging", modules, job, {"epochs": 1}, options.rounds)
    by_epoch = {name: [taken / job["epochs"] for taken in turns] for name, turns in seconds.items()}
    return figures("logging, seconds an epoch", by_epoch)


def imports(options: argparse.Namespace) -> list[Figure]:
    """Of each stage's script, against torch alone."""
    codes = {"torch alone": "import torch"}
    codes |= {stage: f"import {stage}" for stage in STAGES}
    seconds: Seconds = {name: [] for name in codes}
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "pipelines")])}
    for _ in range(1 if options.quick else 2):
        for name, code in codes.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], env=env, check=True)
            seconds[name].append(time.perf_counter() - began)
    return figures("imports", seconds, "torch alone")


def repro(options: argparse.Namespace) -> list[Figure]:
    """Only where it is a no-op: a benchmark trains nothing."""
    command = [sys.executable, "-m", "dvc", "repro"]
    planned = subprocess.run([*command, "--dry"], cwd=ROOT, capture_output=True, text=True)
    stages = [line for line in planned.stdout.splitlines() if line.startswith("Running stage")]
    if planned.returncode or stages[1:]:  # the first, fetch, always looks at the files
        print("bench: dvc repro has something to do here, so it is not timed", flush=True)
        return []
    taken = []
    for _ in range(options.rounds):
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
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 4)
    WORK.mkdir(parents=True, exist_ok=True)
    if not PEERS.exists():
        print(f"bench: no {PEERS.relative_to(ROOT)}, so no Keras and no ClustPy", flush=True)
    began = time.perf_counter()
    results = [figure for part in options.only for figure in PARTS[part](options)]
    about = machine(options.threads) | {"seconds": round(time.perf_counter() - began)}
    write(about, results, None if options.quick or options.only != list(PARTS) else "bench")


if __name__ == "__main__":
    main()
