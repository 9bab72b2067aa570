"""Data whose labels are known: the rows that `narrows new` writes for it, with and without k.

    python benchmarks/labelled.py ~/clothing-dataset-small/photos [--seeds 0 1 2]
    python benchmarks/labelled.py ~/flowers --set pretrained.effnet.version=lite2
    python benchmarks/labelled.py ~/bbc [--row sentences-umap-gmm]
    python benchmarks/labelled.py customers.csv --labels segment

A folder of pictures or documents, whose folders are the labels, or a table with a column of them.
It is clustered as `narrows new` would set it up, over the seeds; labels score and choose nothing.
Prints mean and standard deviation of ACC and NMI by row, with the number of clusters given and with
`n_clusters: auto`, and the numbers that were taken. docs/benchmarks.md has the figures of sets that
anybody can get.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from narrows.commands import new
from narrows.config import search_space


def change(folder: Path, **sections: Any) -> None:
    """Adds these keys to sections of params.yaml, or replaces a section that has none."""
    yaml, file = YAML(), folder / "params.yaml"
    params = yaml.load(file)
    for section, value in sections.items():
        if isinstance(value, dict):
            params[section].update(value)
        else:
            params[section] = value
    yaml.dump(params, file)


def repro(folder: Path, *stages: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "dvc", "repro", *stages]
    subprocess.run(command, cwd=folder, check=True, env={**os.environ, "PATH": path})


def recommended(folder: Path) -> str:
    """The number of clusters that stage choose_k recommends, and those that do about as well."""
    (file,) = folder.glob("artifacts/*/choose_k/curve.json")
    curve = json.loads(file.read_text())
    return f"{curve['recommended']} of {curve['range']}"


def score(folder: Path, labels: str, seeds: list[int], rows: list[str]) -> None:
    """Runs the project with k and without, and prints what came of it."""
    change(folder, dataset={"labels": labels})
    repro(folder, "prepare")
    (file,) = folder.glob("data/*/labels.npy")
    k = len(np.unique(np.load(file)))
    keys = rows or list(YAML(typ="safe").load(folder / "params.yaml")["clusterings"])
    for n_clusters in (k, "auto"):
        change(folder, seed=seeds[0], n_clusters=n_clusters, seeds={"values": seeds, "rows": keys})
        repro(folder)
        print(f"k {n_clusters}: {recommended(folder)} recommended", flush=True)
        (results,) = folder.glob("results/*/seeds.csv")
        with results.open(newline="") as stream:
            for row in csv.DictReader(stream):
                acc, nmi = (
                    f"{float(row[f'{name}_mean']):.3f} +- {float(row[f'{name}_sd']):.3f}"
                    for name in ("acc", "nmi")
                )
                print(f"  {row['clustering']:24} ACC {acc}  NMI {nmi}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", default="folders", help="folders, or a column of the table")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--row", nargs="+", default=[], help="keys of clusterings; all of them")
    parser.add_argument(
        "--set", nargs="+", default=[], help="other values of params.yaml: KEY=VALUE"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "project")
        new.main([str(folder), "--data", str(options.data.resolve())])
        values = dict(assignment.split("=", 1) for assignment in options.set)
        yaml, file = YAML(), folder / "params.yaml"
        yaml.dump(search_space.changed(yaml.load(file), values), file)
        score(folder, options.labels, options.seeds, options.row)


if __name__ == "__main__":
    main()
