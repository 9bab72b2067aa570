"""The same thing typed twice at once: both end well or with a sentence, and nothing differs."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from helpers import finished
from torture import runs
from torture._base import Campaign, Lost, answered, digest, ended, python, stages
from torture.artifacts import COMMANDS, NUMBERS, STAGES, whole

NOTHING_NEW, BUSY = 3, 75
SEARCH = {
    "row": "narrow",
    "space": {"code_size": {"low": 2, "high": 9}},
    "objectives": [{"name": "reconstruction"}],
    "n_trials": 2,
}


def of_stages(draw: random.Random, folder: Path) -> int:
    """The stages of a project of which nothing is computed, side by side."""
    place = folder / "project"
    place.mkdir()
    finished.begin(place)
    ended(stages(place, "fetch", "prepare"))
    for process in [stages(place, *STAGES), stages(place, *STAGES)]:
        answered(process)
    ended(stages(place, *STAGES))
    compare(place)
    return 1


def of_commands(draw: random.Random, folder: Path) -> int:
    """Two commands on finished rows, the same or different ones."""
    place = folder / "project"
    shutil.copytree(whole(), place)
    promotion = ("promote", "pca-kmeans", "--anyway")
    first = draw.choice((*COMMANDS, promotion, ("new", "other", "--data", "data/digits/x.npy")))
    second = draw.choice((first, draw.choice(COMMANDS)))
    for process in [python(place, "-m", "narrows", *words) for words in (first, second)]:
        answered(process)
    ended(stages(place, *STAGES))
    compare(place)
    return 1


def of_searches(draw: random.Random, folder: Path) -> int:
    """Two searches that add trials to one study."""
    place = folder / "project"
    shutil.copytree(whole(), place)
    finished.change(place, searches={"tuned": SEARCH})
    words = ("-m", "narrows", "search", "tuned", "--n-trials", "3")
    for process in [python(place, *words), python(place, *words)]:
        answered(process, NOTHING_NEW, BUSY)
    ended(stages(place, "tune", "encode"))
    return 1


def of_runs(draw: random.Random, folder: Path) -> int:
    """Two first `dvc repro`, of which DVC turns one away, and one afterwards."""
    expected, _ = runs.reference()
    place = runs.project(folder)
    for process in [python(place, "-m", "dvc", "repro"), python(place, "-m", "dvc", "repro")]:
        answered(process, 255)
    runs.repro(place)
    runs.check(place, expected)
    return 1


def compare(place: Path) -> None:
    """Raises `Lost` where rows are not as one process alone leaves them."""
    if digest(place / "artifacts", *NUMBERS) != digest(whole() / "artifacts", *NUMBERS):
        raise Lost("other numbers than those of one process")


CAMPAIGNS = (
    Campaign("stages twice at once", of_stages, n_sample=0),
    Campaign("commands twice at once", of_commands, n_sample=0),
    Campaign("searches twice at once", of_searches, n_sample=0),
    Campaign("dvc repro twice at once", of_runs, n_sample=0),
)
