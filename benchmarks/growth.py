"""How time and memory grow with samples, code size and clusters: docs/scaling.md.

    python benchmarks/growth.py [--quick | --only file place]

Each point is a process of its own with one thread, so that its peak memory is its own. `file` is
the epoch of `train` over a memory-mapped file; `pca` codes of all samples and errors of all splits,
from such a file, too; `kmeans_all` and `place` give every code its cluster, by K-means learned from
all and by a mixture in a map of 5,000; `sheet` chooses the examples of a report. What --only names
is printed and not written.
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
from collections.abc import Callable, Collection
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
    "file": {"n": [5_000, 20_000, 70_000, 280_000]},
    "pca": {"n": [10_000, 100_000, 1_000_000]},
    "kmeans_all": {"n": [10_000, 100_000, 1_000_000]},
    "place": {"n": [10_000, 100_000, 1_000_000]},
    "sheet": {"n": [10_000, 100_000, 1_000_000]},
}
N_KNOWN = 5_000  # codes of the map of `place`
ENV = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}  # others' work weighs less
OPTIONS: dict[str, dict[str, Any]] = {
    "kmeans": {"n_init": 1},
    "minibatch_kmeans": {"n_init": 1, "batch_size": 1024},
    "gmm": {"n_init": 1, "covariance": "full"},
}
USUAL = {"n": 20_000, "code": 16, "k": 10}


def train(n: int, code: int, k: int, on_disk: bool = False) -> Callable[[], Any]:
    """One epoch of 784-128-code in batches of 256."""
    import torch
    from textbook import row

    from narrows.data.on_disk import StoredSamples
    from narrows.training import fitting

    changes = {"train.epochs": 1, "train.batch_size": 256, "code_size": code}
    chosen = row("undercomplete", changes)
    mapped = digits_on_disk(n)
    samples = StoredSamples(mapped, np.arange(n))
    some = samples[:512]
    train = samples if on_disk else samples[:]

    def fit(x: StoredSamples | torch.Tensor) -> None:
        fitting.fit(chosen, x, some, seed=0, device="cpu")

    fit(some)  # what comes but once
    return lambda: fit(train)


def file(n: int, code: int, k: int) -> Callable[[], Any]:
    """The same over a file."""
    return train(n, code, k, on_disk=True)


def digits_on_disk(n: int) -> np.ndarray:
    """n digits uint8 (n, 1, 28, 28) in a file without a name, the 5,000 again and again."""
    from narrows.data.datasets._stacked import stacked

    module, raw = plugins.load("datasets", "mnist_5k"), ROOT / "data/mnist_5k/raw"
    module.fetch(module.Config(), raw)
    x = module.load(module.Config(), raw).x
    mapped = stacked(x[: min(len(x), n - start)] for start in range(0, n, len(x)))
    assert mapped is not None
    return mapped


def pca(n: int, code: int, k: int) -> Callable[[], Any]:
    """What row `pca` of stage `encode` does after its fit."""
    import torch

    from narrows.data.prepared import Prepared
    from narrows.data.unit import to_unit
    from narrows.models import encoders

    row = params.plugin("baselines", {"name": "pca", "code_size": code})
    split = np.array([1, 2, *[0] * 8], np.uint8)[np.arange(n) % 10]
    data = Prepared("digits", digits_on_disk(n), split, "")
    some = Prepared("", data.x[:2000], split[:2000], "")
    state = encoders.baseline_state(row, some, 0)
    encoders.baseline_state = lambda *_: state  # learns from at most 85,598 samples

    def reconstruct(x: torch.Tensor) -> torch.Tensor:
        z = row.module.encode(state, to_unit(x).flatten(1).numpy())
        return torch.from_numpy(row.module.decode(state, z)).reshape(x.shape)

    encoders.errors_by_split(reconstruct, some)  # imports
    return lambda: (
        encoders.fit_baseline(row, data, 0),
        encoders.errors_by_split(reconstruct, data),
    )


def clusterer(name: str, n: int, code: int, k: int) -> Callable[[], Any]:
    """On Gaussian blobs, whose codes need no network."""
    z = blobs(n, code, k)
    chosen = params.plugin("clusterers", {"name": name, **OPTIONS.get(name, {})})
    chosen.module.fit(chosen.config, z[:500], 5, 0)  # imports and compiles
    return lambda: chosen.module.fit(chosen.config, z, k, 0)


def blobs(n: int, code: int, k: int) -> np.ndarray:
    """Codes float32 (n, code) around k centres."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(k, code)) * 4
    z = np.empty((n, code), np.float32)
    for part in np.array_split(z, max(1, n // 20_000)):
        part[:] = centres[generator.integers(k, size=len(part))]
        part += generator.normal(size=part.shape)
    return z


def kmeans_all(n: int, code: int, k: int) -> Callable[[], Any]:
    """What stage `cluster` does with K-means."""
    from narrows.clustering import codes

    chosen, z = params.plugin("clusterers", {"name": "kmeans", "n_init": 1}), blobs(n, code, k)
    codes.fit_predict(chosen, z[:500], np.full(500, True), 5, 0)
    return lambda: codes.fit_predict(chosen, z, np.full(n, True), k, 0)


def place(n: int, code: int, k: int) -> Callable[[], Any]:
    """Places in a map, and the mixture there; the map is the first two axes of the codes."""
    from narrows.clustering import codes, mixture
    from narrows.clustering.clusterers import umap_gmm

    z = blobs(n, code, k)
    known = z[:N_KNOWN]
    state = mixture.fit_mixture(known[:, :2], k, "full", 1, 0)
    state |= {"codes": known, "places": known[:, :2], "n_neighbors": np.array(20)}
    umap_gmm.predict(state, z[:100])
    return lambda: codes.predict(umap_gmm, state, z)


def sheet(n: int, code: int, k: int) -> Callable[[], Any]:
    """The examples of a report's sheet."""
    from narrows.report.clustering_figures import choose_examples

    z = blobs(n, code, k)
    return lambda: choose_examples(z, np.arange(n) % k, 6)


MADE_BY = {run.__name__: run for run in (train, file, pca, kmeans_all, place, sheet)}


def measure(what: str, sizes: dict[str, int]) -> None:
    """Prints seconds, CPU seconds and the peak memory in MB of one point, as JSON."""
    run = MADE_BY[what](**sizes) if what in MADE_BY else clusterer(what, **sizes)
    began, cpu_began = time.perf_counter(), time.process_time()
    run()
    cpu = time.process_time() - cpu_began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak}))


def points(quick: bool, chosen: Collection[str]) -> list[dict[str, Any]]:
    rows = []
    for what in chosen:
        for axis, sizes in POINTS[what].items():
            for size in sizes[:1] if quick else sizes:
                point = {**USUAL, axis: size}
                command = [sys.executable, __file__, "--point", json.dumps([what, point])]
                done = subprocess.run(command, env=ENV, capture_output=True, text=True)
                if done.returncode:
                    sys.exit(done.stderr)
                measured = json.loads(done.stdout.splitlines()[-1])
                rows.append({"what": what, "axis": axis, **point, **measured})
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
    parser.add_argument("--only", nargs="+", choices=POINTS)
    parser.add_argument("--point", type=json.loads)
    options = parser.parse_args()
    if options.point:
        measure(*options.point)
        return
    rows = points(options.quick, options.only or POINTS)
    if options.quick or options.only:
        return
    with (ROOT / "benchmarks/results/growth.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, ROOT / "docs/pictures/growth.png")


if __name__ == "__main__":
    main()
