"""Whether an objective without labels orders trials as accuracy does: Spearman's rank correlation.

    python benchmarks/objectives.py [--trials 40] [--sets digits mnist_5k] [--to trials.csv]

Rows are drawn at random from a space like that of a search for clusters: code size, depth, width,
loss, activation, corruption and rate. Each is trained from two seeds and judged by every objective,
as a search would judge it; labels come in only for ACC, the mean over both seeds of the accuracy of
K-means on the codes of training samples, k given. Where an objective is minimised, its sign is
turned: 1 is an objective that orders trials exactly as ACC does. Both sets come with dependencies;
ten minutes of a core. docs/benchmarks.md has the figures.
"""

import argparse
import csv
import time
import warnings
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import optuna
import torch
from scipy.stats import spearmanr

import narrows as nw
from narrows.clustering import matching, metrics
from narrows.config import inheritance, params, plugins, search_space, yaml_file
from narrows.search.objectives._base import MAX_ROWS, Trained, clusters_of, judged
from narrows.training import fitting

ROOT = Path(__file__).parent.parent
RAW = inheritance.written_out(yaml_file.read(ROOT / "params.yaml"))
SPACE = search_space.parse(
    {
        "code_size": {"low": 2, "high": 64, "log": True},
        "network.hidden": {"layers": [1, 3], "units": [32, 512]},
        "loss": ["bce", "mse"],
        "code_activation": ["relu", "linear"],
        "corruption": [
            {"name": "none"},
            {"name": "gaussian", "std": 0.5},
            {"name": "salt_pepper", "fraction": 0.3},
        ],
        "train.optimizer.lr": {"low": 1e-3, "high": 1e-2, "log": True},
    }
)
EPOCHS = 10
SEEDS = (0, 1)
OBJECTIVES = ("reconstruction", "silhouette", "pseudo_labels", "neighbour_votes", "agreement")


def accuracy(trained: Trained, labels: np.ndarray, k: int) -> float:
    """ACC of K-means on the codes of the training samples (n,)."""
    _, clusters = clusters_of(trained.model, judged(trained), k, trained.seed)
    return metrics.accuracy(labels, clusters, matching.pairs(labels, clusters))


def measured(trained: Trained, name: str, k: int) -> float | None:
    """What an objective says, larger is better."""
    module = plugins.load("objectives", name)
    options = {} if name == "reconstruction" else {"n_clusters": k}
    value: float | None = module.measure(module.Config(**options), trained)
    return -value if value is not None and module.DIRECTION == "minimize" else value


def mean(values: list[float | None]) -> float:
    return fmean(value for value in values if value is not None)


def judged_by_all(trial: Any, data: Any, labels: np.ndarray) -> dict[str, float]:
    """ACC and all objectives of a row that the trial draws, means over the seeds."""
    row = search_space.changed(RAW["autoencoders"]["undercomplete"], {"train.epochs": EPOCHS})
    row = search_space.changed(row, search_space.draw(SPACE, trial))
    chosen, k = params.plugin("autoencoders", row), len(np.unique(labels))
    train, val = data.samples("train"), data.samples("val")
    by_seed, rival = [], None
    for seed in SEEDS:
        model = fitting.fit(chosen, train, val, seed=seed, device="cpu").model
        trained = Trained(model, train, val, seed, rival)
        values = {name: measured(trained, name, k) for name in OBJECTIVES}
        by_seed.append({"ACC": accuracy(trained, labels, k), **values})
        rival = model
    return {name: mean([values[name] for values in by_seed]) for name in by_seed[0]}


def correlations(results: list[dict[str, Any]]) -> dict[str, float]:
    """Spearman's rank correlation with ACC by objective, and that of the size of the code."""
    accuracies = [result["ACC"] for result in results]
    names = (*OBJECTIVES, "code_size")
    return {
        name: float(spearmanr(accuracies, [result[name] for result in results]).statistic)
        for name in names
    }


def run(name: str, n_trials: int) -> list[dict[str, Any]]:
    """Results of random trials on a data set, which are printed as they come."""
    data, clock = nw.load_data(name), time.process_time()
    labels = data.labels()
    assert labels is not None
    labels = labels[data.split == 0]
    assert len(labels) <= MAX_ROWS, "so that all training samples are judged"
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    results = []
    for number in range(n_trials):
        trial = study.ask()
        result = judged_by_all(trial, data, labels)
        results.append({"set": name, "trial": number, **result, **trial.params})
        print(name, number, {key: round(value, 3) for key, value in result.items()}, flush=True)
    print(f"{name}: {time.process_time() - clock:.0f} CPU seconds", flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--sets", nargs="+", default=["digits", "mnist_5k"])
    parser.add_argument("--to", type=Path, help="a CSV of all trials")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", "Number of distinct clusters")  # of codes that collapsed
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    results = {name: run(name, options.trials) for name in options.sets}
    if options.to:
        rows = [row for rows in results.values() for row in rows]
        with options.to.open("w", newline="") as sink:
            keys = list(dict.fromkeys(key for row in rows for key in row))
            writer = csv.DictWriter(sink, keys)
            writer.writeheader()
            writer.writerows(rows)
    print(f"{'Spearman with ACC':20}" + "".join(f"{name:>12}" for name in results))
    by_set = {name: correlations(rows) for name, rows in results.items()}
    for name in (*OBJECTIVES, "code_size"):
        print(f"{name:20}" + "".join(f"{by_set[of][name]:12.2f}" for of in by_set))
    for name, rows in results.items():
        acc = [row["ACC"] for row in rows]
        best = {o: max(rows, key=lambda row: row[o])["ACC"] for o in OBJECTIVES}
        picked = ", ".join(f"{o} {value:.3f}" for o, value in best.items())
        print(
            f"{name}: ACC {min(acc):.3f} to {max(acc):.3f}, mean {fmean(acc):.3f}; of the best by"
        )
        print(f"  {picked}")


if __name__ == "__main__":
    main()
