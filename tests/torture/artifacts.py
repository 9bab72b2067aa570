"""Damaged files of finished rows and of checkpoints: a sentence, or they are computed again."""

from __future__ import annotations

import functools
import json
import os
import pickle
import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from helpers import finished
from torture._base import Campaign, Lost, answered, digest, ended, python, stages

N_FILES = 3
COMMANDS = (
    ("apply", "data/digits/x.npy", "--run", "narrow-kmeans"),
    ("gallery", "narrow-kmeans"),
    ("gallery", "narrow-dec"),
    ("export", "narrow"),
    ("compare", "pca-kmeans", "narrow-kmeans"),
)
NUMBERS = ("codes.npy", "clusters.npz", "scores.json")
CALL = """
import json, sys
from narrows.__main__ import run

for words in json.loads(sys.argv[1]):
    sys.argv = ["narrows", *words]
    try:
        run()
    except SystemExit as end:
        print(end.code)
"""
STAGES = ("encode", "cluster", "deep_cluster")
COMPUTED = ("encoders", "clusterings", "deep_clusterings", "params")
"""What these stages leave; `finished` writes the number of clusters itself."""


class Touch:
    """A pickle that makes a file when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch EXECUTED",)


@functools.cache
def whole() -> Path:
    """A finished project, made once."""
    folder = Path(tempfile.mkdtemp())
    finished.make(folder, *STAGES)
    return folder


def damage(file: Path, draw: random.Random, others: Sequence[Path]) -> str:
    """Damages a file in one of several ways, of which one puts another file there; says how."""
    content = file.read_bytes()
    how = draw.choice(["cut", "empty", "flipped", "pickle", "folder", "other", "missing"])
    file.unlink()
    if how == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        file.touch()
    elif how == "flipped" and content:
        place = draw.randrange(len(content))
        file.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
    elif how == "pickle":
        file.write_bytes(pickle.dumps(Touch()))
    elif how == "folder":
        file.mkdir()
    elif how == "other":
        shutil.copy(draw.choice([f for f in others if f.suffix == file.suffix]), file)
    return how


def attempt(draw: random.Random, folder: Path) -> int:
    """Damaged files, two commands, then the stages again."""
    place = folder / "project"
    shutil.copytree(whole(), place)
    folders = (place / "artifacts/digits" / name for name in COMPUTED)
    files = sorted(f for folder in folders for f in folder.rglob("*") if f.is_file())
    others = sorted(f for f in whole().rglob("*") if f.is_file())
    chosen = draw.sample(files, N_FILES)
    name = ", ".join(f"{file.relative_to(place)} ({damage(file, draw, others)})" for file in chosen)
    commands = draw.sample(COMMANDS, 2)
    if draw.random() < 0.5:  # finished rows do not come back, but are computed again
        shutil.rmtree(place / ".work")
    try:
        answered(python(place, "-c", CALL, json.dumps(commands)))
        ended(stages(place, *STAGES))
    except Lost as error:
        raise Lost(f"{commands} on {name}: {error}") from None
    if list(place.rglob("EXECUTED")):
        raise Lost(f"code of {name} ran")
    if digest(place / "artifacts", *NUMBERS) != digest(whole() / "artifacts", *NUMBERS):
        raise Lost(f"other numbers after {name}")
    return N_FILES


CAMPAIGN = Campaign("damaged artifacts", attempt, n_sample=0)
