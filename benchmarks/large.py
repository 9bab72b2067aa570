"""A folder of 1,000,000 pictures of 64 x 64 x 3, 12 GB of pixels, from the files to the report.

    python benchmarks/large.py --folder /scratch [--n 1000000]

The corpus is made there once: crops of the photographs that scikit-learn and scikit-image
install, mirrored and of another brightness, as JPEG, 1,000 to a folder; 5 GB. It becomes a project
with a PCA and a small autoencoder, K-means and a mixture in a UMAP. Prints seconds and peak memory
of every stage, of all its processes together; pages of files that the system keeps and may drop
count where they are mapped, and pages that processes share count once. To be
held to 3 GB by the system itself, start it in a control group, under systemd for instance with

    systemd-run --user --scope -p MemoryMax=3G -p MemorySwapMax=0 python benchmarks/large.py ...
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image
from ruamel.yaml import YAML

from narrows.explore.gallery import project as own_project

SIDE, PER_FOLDER = 64, 1000
STAGES = (
    *("fetch", "prepare", "encode", "choose_k", "cluster", "deep_cluster"),
    *("evaluate", "seeds", "report"),
)
LOOK = 0.2  # seconds between two looks at the memory


def crops(folder: Path, number: int) -> None:
    """One folder of 1,000 pictures; nothing if it is there."""
    from own_pictures import photos  # a gigabyte of imports, in the children only

    target = folder / f"{number:05}"
    if target.exists():
        return
    g, taken = np.random.default_rng(number), [np.asarray(photo) for photo in photos()]
    partial = folder / f".{number:05}"
    partial.mkdir(parents=True, exist_ok=True)
    for i in range(PER_FOLDER):
        photo = taken[g.integers(len(taken))]
        y, x = (int(g.integers(length - SIDE)) for length in photo.shape[:2])
        crop = photo[y : y + SIDE, x : x + SIDE, :][:, :: int(g.choice([-1, 1]))]
        bright = (crop * g.uniform(0.5, 1)).astype(np.uint8)
        Image.fromarray(bright).save(partial / f"{number * PER_FOLDER + i:07}.jpg", quality=85)
    partial.rename(target)


def params(file: Path) -> None:
    """The example's rows with those of this benchmark."""
    yaml = YAML()
    raw = yaml.load(file)
    row: dict[str, Any] = raw["autoencoders"]["conv"]
    row["network"] = {"name": "mlp", "hidden": [128]}
    row["train"] |= {"epochs": 1, "batch_size": 256, "patience": None}
    kmeans, mapped = {"name": "kmeans", "n_init": 5}, {"name": "umap_gmm", "n_epochs": 200}
    raw["dataset"]["size"] = SIDE
    raw["prepare"] = {"test_fraction": 0.1, "val_fraction": 0.1}
    raw["n_clusters"] = 12
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


def run(stage: str) -> None:
    """A stage as DVC would start it; ends the benchmark where it fails."""
    command = [sys.executable, f"pipelines/{stage}.py"]
    env = {**os.environ, "PYTHONPATH": "src"}
    began, peak = time.monotonic(), 0
    with subprocess.Popen(command, env=env) as process:
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(LOOK)
    seconds = time.monotonic() - began
    print(f"{stage:24} {seconds:8.1f} s  {peak / 2**30:6.2f} GiB", flush=True)
    if process.returncode:
        sys.exit(f"{stage} failed")


def memory(pid: int) -> int:
    """Bytes that a process and those below it hold; what they share counts once. Needs Linux."""
    total = 0
    with contextlib.suppress(psutil.Error):
        whole = psutil.Process(pid)
        for process in (whole, *whole.children(recursive=True)):
            with contextlib.suppress(psutil.Error):  # it may have ended meanwhile
                total += process.memory_full_info().pss
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--n", type=int, default=1_000_000)
    options = parser.parse_args()
    corpus = options.folder.resolve() / f"pictures-{options.n}"
    began = time.monotonic()
    with ProcessPoolExecutor(2) as pool:
        numbers = range(options.n // PER_FOLDER)
        list(pool.map(crops, [corpus] * len(numbers), numbers, chunksize=10))
    print(f"{'made the pictures':24} {time.monotonic() - began:8.1f} s", flush=True)
    os.chdir(options.folder)
    project = own_project.make("image_folder", corpus)
    params(project / "params.yaml")
    os.chdir(project)
    for stage in STAGES:
        run(stage)


if __name__ == "__main__":
    main()
