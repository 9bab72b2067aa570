"""Stages as processes: what they need, and what they may not leave."""

import os
from pathlib import Path

from helpers.project import ROOT


def environment(folder: Path) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if k not in ("DVC_ROOT", "MLFLOW_TRACKING_URI")}
    path = f"{ROOT / 'src'}{os.pathsep}{folder}"
    return env | {"PYTHONPATH": path, "NARROWS_WORKERS": "3", "OMP_NUM_THREADS": "1"}


def assert_clean(folder: Path) -> None:
    """No unfinished work is left."""
    assert not list(folder.rglob("*.part"))
    assert not list((folder / ".work/checkpoints").glob("*"))
