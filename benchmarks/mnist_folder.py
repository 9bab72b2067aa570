"""MNIST as a folder of 70,000 PNG files with a train.csv: the same samples, the same clusters.

    python benchmarks/mnist_folder.py

Writes the pictures of the IDX files as PNGs, in an order that has nothing to do with theirs, reads
them with the plug-in `image_folder`, and clusters both by the row `pca-umap-gmm` as
benchmarks/papers.py has it. Prints seconds, whether pixels and labels are the same, and both ACC.
"""

import csv
import tempfile
import time
from pathlib import Path

import numpy as np
import papers
from PIL import Image

from narrows.clustering import matching, metrics
from narrows.config import plugins
from narrows.data import prepared

ROW, SEED = "pca-umap-gmm", 0


def written(folder: Path, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """train.csv and train/<n>.png; the row of x that has place n in the names' order."""
    order = np.random.default_rng(SEED).permutation(len(x))
    (folder / "train").mkdir()
    with (folder / "train.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["filename", "label"])
        for place, row in enumerate(order):
            name = f"{place:05}.png"
            Image.fromarray(x[row, 0]).save(folder / "train" / name)
            writer.writerow([name, int(labels[row])])
    return order


def main() -> None:
    data, labels = papers.load("mnist")
    with tempfile.TemporaryDirectory() as scratch:
        folder, raw = Path(scratch, "mnist"), Path(scratch, "raw")
        folder.mkdir()
        order = written(folder, data.x, labels)
        plugin = plugins.load("datasets", "image_folder")
        cfg = plugin.Config(path=str(folder), size=28, colour=False, labels="train.csv")
        began = time.monotonic()
        plugin.fetch(cfg, raw)
        print(f"fetch {time.monotonic() - began:.1f} s", flush=True)
        began = time.monotonic()
        read = plugin.load(cfg, raw)
        print(f"prepare {time.monotonic() - began:.1f} s: {read.x.shape}", flush=True)
    same = np.array_equal(read.x, data.x[order]), np.array_equal(read.labels, labels[order])
    print(f"pixels are the same: {same[0]}, labels: {same[1]}", flush=True)
    own = prepared.Prepared("folder", read.x, data.split, "")
    for name, samples, truth in (("IDX", data, labels), ("PNG", own, read.labels)):
        clusters = papers.measure(papers.rows(), ROW, SEED, samples)
        acc = metrics.accuracy(truth, clusters, matching.pairs(truth, clusters))
        print(f"{name}: {ROW} ACC {acc:.4f}", flush=True)


if __name__ == "__main__":
    main()
