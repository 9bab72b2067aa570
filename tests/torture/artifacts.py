"""Damaged files of finished rows and of checkpoints: a sentence, or they are computed again."""

from __future__ import annotations

import functools
import os
import pickle
import random
import shutil
import tempfile
from pathlib import Path

from helpers import finished
from torture._base import Campaign, Lost, ended, python

COMMANDS = (
    ("apply", "data/digits/x.npy", "--run", "narrow-kmeans"),
    ("gallery", "narrow-kmeans"),
    ("gallery", "narrow-dec"),
    ("export", "narrow"),
    ("compare", "pca-kmeans", "narrow-kmeans"),
)


class Touch:
    """A pickle that makes a file when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch EXECUTED",)


@functools.cache
def whole() -> Path:
    """A finished project, made once."""
    folder = Path(tempfile.mkdtemp())
    finished.make(folder, "encode", "cluster", "deep_cluster")
    return folder


def damage(file: Path, draw: random.Random) -> str:
    """Damages a file in one of several ways; says how."""
    content = file.read_bytes()
    how = draw.choice(["cut", "empty", "flipped", "pickle", "folder", "other", "missing"])
    file.unlink()
    if how == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        file.touch()
    elif how == "flipped":
        place = draw.randrange(len(content))
        file.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
    elif how == "pickle":
        file.write_bytes(pickle.dumps(Touch()))
    elif how == "folder":
        file.mkdir()
    elif how == "other":
        others = sorted(f for f in whole().rglob(f"*{file.suffix}") if f.is_file())
        shutil.copy(draw.choice(others), file)
    return how


def attempt(draw: random.Random, folder: Path) -> int:
    """One damaged file, one command, then the stages again."""
    place = folder / "project"
    shutil.copytree(whole(), place)
    files = sorted(f for f in (place / "artifacts").rglob("*") if f.is_file())
    file = draw.choice(files)
    how = damage(file, draw)
    name = f"{file.relative_to(place)} ({how})"
    command = draw.choice(COMMANDS)
    process = python(place, "-m", "narrows", *command)
    said = "".join(process.communicate(timeout=300))
    if "Traceback" in said or process.returncode not in (0, 1):
        raise Lost(f"{' '.join(command)} on {name}: {said[-500:]}")
    for stage in ("encode", "cluster", "deep_cluster"):
        try:
            ended(python(place, "-c", f"from narrows.stages import {stage}; {stage}.main()"))
        except Lost as error:
            raise Lost(f"{stage} on {name}: {error}") from None
    if list(place.rglob("EXECUTED")):
        raise Lost(f"code of {name} ran")
    return 1


CAMPAIGN = Campaign("damaged artifacts", attempt, n_sample=2)
