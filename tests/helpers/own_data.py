"""Small data of a user's own: pictures, a table, documents, and the examples on them."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from ruamel.yaml import YAML

from helpers.project import ROOT


def pictures(folder: Path) -> Path:
    """Forty pictures, light ones on the left and dark ones on the right, and two that are none."""
    generator = np.random.default_rng(0)
    for i in range(40):
        pixels = generator.integers(0, 60, (12, 16, 3)) + (180 if i % 2 else 0)
        file = folder / ("light" if i % 2 else "dark") / f"{i} é.png"
        file.parent.mkdir(exist_ok=True, parents=True)
        Image.fromarray(pixels.astype(np.uint8)).save(file)
    (folder / "cut.png").write_bytes(file.read_bytes()[:100])
    (folder / "readme.txt").write_text("not a picture")
    return folder


def table(folder: Path) -> Path:
    """Sixty rows of two kinds, by which both columns differ."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    file = folder / "rows.csv"
    with file.open("w", newline="") as sink:
        csv.writer(sink).writerow(["size", "colour"])
        for i in range(60):
            size = generator.normal(10 * (i % 2), 1)
            csv.writer(sink).writerow([f"{size:.3f}", ["red", "blue"][i % 2]])
    return file


def documents(folder: Path) -> Path:
    """Thirty documents on the sea and on the land, which share no word."""
    generator = np.random.default_rng(0)
    words = {"sea": "ship wave salt fish sail".split(), "land": "tree road farm hill cow".split()}
    for name, chosen in words.items():
        (folder / name).mkdir(parents=True)
        for i in range(15):
            (folder / name / f"{i}.txt").write_text(" ".join(generator.choice(chosen, 20)))
    return folder


def array(folder: Path) -> Path:
    """Sixty rows of ten numbers, around 0 and around 8."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    file = folder / "rows.npy"
    np.save(file, generator.normal(8 * (np.arange(60) % 2)[:, None], 1, (60, 10)))
    return file


DATA: dict[str, Callable[[Path], Path]] = {
    "image_folder": pictures,
    "table": table,
    "text": documents,
    "array": array,
}


def example(name: str, folder: Path) -> dict[str, Any]:
    """examples/<name>.yaml with the path of our data, one row that trains in a second, k = 2."""
    params: dict[str, Any] = YAML(typ="safe").load(ROOT / "examples" / f"{name}.yaml")
    if name in DATA:
        params["dataset"]["path"] = str(DATA[name](folder / name))
    key = next(iter(params["autoencoders"]))
    chosen = params["autoencoders"][key]
    chosen["train"] |= {"epochs": 2, "batch_size": 16}
    if "channels" in chosen["network"]:
        chosen["network"]["channels"] = [4, 8]
    params["autoencoders"] = {key: chosen}
    clusterer = {"name": "kmeans", "n_init": 2}
    params["clusterings"] = {f"{key}-kmeans": {"encoder": key, "clusterer": clusterer}}
    params |= {"n_clusters": 2, "deep_clusterings": {}}
    params["choose_k"] = {"encoder": key, "largest": 2}
    params["evaluate"]["map_rows"] = 9  # too few for a UMAP
    params["baselines"] = dict(list(params["baselines"].items())[:1])
    return params
