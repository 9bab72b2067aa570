"""Finished stages in a folder, made in one process: faster than `dvc repro`, and without it."""

import os
import subprocess
import sys
from pathlib import Path

from project import ROOT, deep_row, row
from ruamel.yaml import YAML

KMEANS = {"name": "kmeans", "n_init": 2}
PARAMS = {
    "seed": 0,
    "device": "cpu",
    "devices": 1,
    "num_nodes": 1,
    "dataset": {"name": "digits"},
    "prepare": {"test_fraction": 0.2, "val_fraction": 0.2},
    "n_clusters": 10,
    "baselines": {"pca": {"name": "pca", "code_size": 6}},
    "autoencoders": {"narrow": row(epochs=2), "other": row(epochs=1)},
    "searches": {},
    "evaluate": {"corruptions": {}, "map_rows": 50, "nll_draws": 2},
    "choose_k": {"encoder": "pca", "largest": 3},
    "cluster_on": "all",
    "clusterings": {
        "pca-kmeans": {"encoder": "pca", "clusterer": KMEANS},
        "narrow-kmeans": {"encoder": "narrow", "clusterer": KMEANS},
    },
    "deep_clusterings": {"narrow-dec": deep_row("narrow")},
    "seeds": {"values": [0, 1, 2, 3, 4], "rows": ["pca-kmeans"], "together": False},
}


RUN = """
import runpy, sys
for stage in sys.argv[1:]:
    script, _, key = stage.partition("@")
    runpy.run_path(f"{script}.py")["main"](*([key] if key else []))
"""


def run(folder: Path, *stages: str) -> None:
    """Stages like cluster@pca-kmeans, one after the other in one process."""
    scripts = [str(ROOT / "pipelines" / stage) for stage in stages]
    env = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    env["PYTHONPATH"] = str(ROOT / "src")
    done = subprocess.run([sys.executable, "-c", RUN, *scripts], cwd=folder, env=env)
    assert done.returncode == 0


def make(folder: Path, *stages: str) -> None:
    """The data, and what these stages leave. Stage choose_k, which is slow, is not run."""
    YAML(typ="safe").dump(PARAMS, folder / "params.yaml")
    told = folder / "artifacts/digits/choose_k/n_clusters.json"
    told.parent.mkdir(parents=True)
    told.write_text('{"n_clusters": 10}')
    run(folder, "fetch", "prepare", *stages)
