"""Finished stages in a folder, made without DVC."""

import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from helpers import warm
from helpers.project import BASE, ROOT, deep_row, environment, row
from narrows.store import choices
from narrows.store.choices import ChosenK

KMEANS = {"name": "kmeans", "n_init": 2}
PARAMS = {
    **BASE,
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
import sys
from importlib import import_module
for stage in sys.argv[1:]:
    import_module(f"narrows.stages.{stage}").main()
"""


def run(folder: Path, *stages: str) -> None:
    """Stages, one after the other in one process, which imports what they need once."""
    command = [warm.python(), "-c", RUN, *stages]
    done = subprocess.run(command, cwd=folder, env=environment(ROOT / "src"))
    assert done.returncode == 0


def change(folder: Path, **sections: Any) -> None:
    """Replaces sections of params.yaml."""
    file, yaml = folder / "params.yaml", YAML(typ="safe")
    yaml.dump({**yaml.load(file), **sections}, file)


def begin(folder: Path, **sections: Any) -> None:
    """`PARAMS` in a folder, some sections of it replaced. The number of clusters is there without
    stage choose_k, which is slow."""
    YAML(typ="safe").dump({**PARAMS, **sections}, folder / "params.yaml")
    place = folder / "artifacts/digits/choose_k"
    place.mkdir(parents=True)
    choices.write_k(place, ChosenK([], None, 10))


def make(folder: Path, *stages: str, **sections: Any) -> None:
    """The data, and what these stages leave of what `begin` writes."""
    begin(folder, **sections)
    run(folder, "fetch", "prepare", *stages)
