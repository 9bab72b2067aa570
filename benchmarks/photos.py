"""Photographs in folders that are labels: the rows of examples/photos.yaml, with and without k.

    python benchmarks/photos.py ~/clothing-dataset-small/photos [--seeds 0 1 2] [--k 10]

The pictures are clustered as `narrows new` would set it up, over the seeds; labels score and choose
nothing. Prints mean and standard deviation of ACC and NMI by row, with the number of clusters given
and with `n_clusters: auto`. docs/benchmarks.md has the figures of sets that anybody can get.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

from narrows.commands import new


def run(folder: Path, n_clusters: int | str, seeds: list[int]) -> list[dict[str, str]]:
    """Lines of seeds.csv of the project with this number of clusters."""
    yaml = YAML()
    file = folder / "params.yaml"
    params = yaml.load(file)
    params["n_clusters"], params["dataset"]["labels"] = n_clusters, "folders"
    params["seed"], params["seeds"]["values"] = seeds[0], seeds
    yaml.dump(params, file)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        [sys.executable, "-m", "dvc", "repro"],
        cwd=folder,
        check=True,
        env={**os.environ, "PATH": path},
    )
    with (folder / "results/image_folder/seeds.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--k", type=int, help="number of classes; that of the folders if not given")
    options = parser.parse_args()
    k = options.k or sum(path.is_dir() for path in options.photos.iterdir())
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "project")
        new.main([str(folder), "--data", str(options.photos.resolve())])
        lines = [
            (n_clusters, row)
            for n_clusters in (k, "auto")
            for row in run(folder, n_clusters, options.seeds)
        ]
    for n_clusters, row in lines:
        acc, nmi = (
            f"{float(row[f'{m}_mean']):.3f} +- {float(row[f'{m}_sd']):.3f}" for m in ("acc", "nmi")
        )
        print(f"k {n_clusters!s:5} {row['clustering']:20} ACC {acc}  NMI {nmi}")


if __name__ == "__main__":
    main()
