"""Stages as processes: what they need, and what they may not leave."""

from pathlib import Path

from helpers import project
from helpers.project import ROOT


def environment(folder: Path) -> dict[str, str]:
    """That of stages of a project whose folder has modules of its own."""
    return project.environment(ROOT / "src", folder) | {
        "NARROWS_WORKERS": "3",
        "OMP_NUM_THREADS": "1",
    }


def assert_clean(folder: Path) -> None:
    """No unfinished work is left."""
    assert not list(folder.rglob("*.part"))
    assert not list((folder / ".work/checkpoints").glob("*"))
