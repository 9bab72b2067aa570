"""How time and memory grow with samples, code size and clusters: docs/scaling.md.

    python benchmarks/growth.py [--quick]

Each point is a process of its own with one thread, so that its peak memory is its own.
benchmarks/results/growth.csv has the points, docs/pictures/growth.png the curves with their slopes
on logarithmic axes.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from narrows.config import params, plugins

ROOT = Path(__file__).parent.parent
POINTS: dict[str, dict[str, list[int]]] = {  # what -> along which axis -> sizes
    "train": {"n": [5_000, 20_000, 70_000, 280_000], "code": [2, 16, 256]},
    "kmeans": {
        "n": [5_000, 20_000, 70_000, 280_000],
        "code": [2, 16, 256],
        "k": [10, 100, 1000],
    },
    "minibatch_kmeans": {"n": [5_000, 20_000, 70_000, 280_000], "k": [10, 100, 1000]},
    "gmm": {"n": [5_000, 20_000, 70_000], "code": [2, 16, 64], "k": [10, 30]},
    "umap_gmm": {"n": [5_000, 10_000, 20_000]},
}
ENV = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}  # others' work weighs less
OPTIONS: dict[str, dict[str, Any]] = {
    "kmeans": {"n_init": 1},
    "minibatch_kmeans": {"n_init": 1, "batch_size": 1024},
    "gmm": {"n_init": 1, "covariance": "full"},
}
USUAL = {"n": 20_000, "code": 16, "k": 10}


def train(n: int, code: int, k: int) -> Callable[[], Any]:
    """One epoch of 784-128-code in batches of 256."""
    import torch
    from textbook import row

    from narrows.training import fitting

    changes = {"train.epochs": 1, "train.batch_size": 256, "code_size": code}
    chosen = row("undercomplete", changes)
    module = plugins.load("datasets", "mnist_5k")
    dataset = module.load(module.Config(), ROOT / "data/mnist_5k/raw")
    x = torch.from_numpy(dataset.x[np.arange(n) % 5000])

    def fit(x: torch.Tensor) -> None:
        fitting.fit(chosen, x, x[:512], seed=0, device="cpu")

    fit(x[:512])  # what comes but once
    return lambda: fit(x)


def clusterer(name: str, n: int, code: int, k: int) -> Callable[[], Any]:
    """On Gaussian blobs, whose codes need no network."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(k, code)) * 4
    z = centres[generator.integers(k, size=n)] + generator.normal(size=(n, code))
    chosen = params.plugin("clusterers", {"name": name, **OPTIONS.get(name, {})})
    z = z.astype(np.float32)
    chosen.module.fit(chosen.config, z[:500], 5, 0)  # imports and compiles
    return lambda: chosen.module.fit(chosen.config, z, k, 0)


def measure(what: str, sizes: dict[str, int]) -> None:
    """Prints the seconds and the peak memory in MB of one point, as JSON."""
    run = train(**sizes) if what == "train" else clusterer(what, **sizes)
    began = time.perf_counter()
    run()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": time.perf_counter() - began, "peak_mb": peak}))


def points(quick: bool) -> list[dict[str, Any]]:
    rows = []
    for what, axes in POINTS.items():
        for axis, sizes in axes.items():
            for size in sizes[:1] if quick else sizes:
                chosen = {**USUAL, axis: size}
                command = [sys.executable, __file__, "--point", json.dumps([what, chosen])]
                done = subprocess.run(command, env=ENV, capture_output=True, text=True)
                if done.returncode:
                    sys.exit(done.stderr)
                point = json.loads(done.stdout.splitlines()[-1])
                rows.append({"what": what, "axis": axis, **chosen, **point})
                print(rows[-1], flush=True)
    return rows


def slope(sizes: list[int], values: list[float]) -> float:
    """Of a line through the points on logarithmic axes: 1 doubles with the size, 2 fourfolds.

    >>> slope([10, 100], [1.0, 100.0])
    2.0
    """
    fitted = np.polyfit(np.log(sizes), np.log(values), 1)
    return round(float(fitted[0]), 2)


def draw(rows: list[dict[str, Any]], file: Path) -> None:
    from matplotlib.figure import Figure

    axes = {"n": "samples", "code": "code size", "k": "clusters"}
    figure = Figure(figsize=(11, 7), layout="constrained")
    grid = figure.subplots(2, len(axes), sharex="col", sharey="row")
    for j, (axis, name) in enumerate(axes.items()):
        for what in POINTS:
            line = [point for point in rows if (point["what"], point["axis"]) == (what, axis)]
            if len(line) < 2:
                continue
            sizes = [point[axis] for point in line]
            for i, value in enumerate(("seconds", "peak_mb")):
                values = [point[value] for point in line]
                label = f"{what}, slope {slope(sizes, values)}"
                colour = f"C{list(POINTS).index(what)}"
                grid[i, j].loglog(sizes, values, marker="o", color=colour, label=label)
        grid[1, j].set_xlabel(name)
        for i in range(2):
            above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}
            grid[i, j].legend(fontsize=7, frameon=False, **above)
            grid[i, j].spines[["top", "right"]].set_visible(False)
    grid[0, 0].set_ylabel("seconds")
    grid[1, 0].set_ylabel("peak memory, MB")
    figure.savefig(file, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures growth.")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--point", type=json.loads)
    options = parser.parse_args()
    if options.point:
        measure(*options.point)
        return
    rows = points(options.quick)
    if options.quick:
        return
    with (ROOT / "benchmarks/results/growth.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, ROOT / "docs/pictures/growth.png")


if __name__ == "__main__":
    main()
