"""Disks that are full, read-only or several: a sentence, and the same numbers once they are not.

Mounts need root; without it there are no such campaigns.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from helpers import finished
from torture._base import Campaign, Lost, answered, digest, ended, stages

STAGES = ("fetch", "prepare", "encode", "cluster")
NUMBERS = ("codes.npy", "clusters.npz", "x.npy")
PARTS = ("artifacts", ".work", "data", "mlruns")
NEEDED = 8 * 2**20
"""Bytes of all that these stages leave, roughly."""


def mount(*words: str | Path) -> None:
    """`mount ...` as root."""
    subprocess.run(["mount", *map(str, words)], check=True, capture_output=True)


@contextlib.contextmanager
def mounted(folder: Path, *words: str | Path) -> Iterator[None]:
    """A mount at a folder, as long as the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    mount(*words, folder)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def disk(folder: Path, n_bytes: int) -> contextlib.AbstractContextManager[None]:
    """A file system of its own."""
    return mounted(folder, "-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs")


def project(folder: Path) -> Path:
    """A project of which nothing is computed."""
    folder.mkdir(exist_ok=True)
    finished.begin(folder)
    return folder


@functools.cache
def expected() -> str:
    """Digest of what the stages leave on a disk like any other."""
    with tempfile.TemporaryDirectory() as place:
        ended(stages(project(Path(place)), *STAGES))
        return digest(Path(place), *NUMBERS)


def check(place: Path) -> None:
    """Runs the stages once more; nothing is in their way now."""
    ended(stages(place, *STAGES))
    if digest(place, *NUMBERS) != expected():
        raise Lost("other numbers than on a disk like any other")
    if left := [str(path) for path in place.rglob("*.part")]:
        raise Lost(f"left over: {left}")


def full(draw: random.Random, folder: Path) -> int:
    """A disk that is full at some moment, and larger afterwards."""
    size = draw.randrange(NEEDED // 20, NEEDED)
    with disk(folder / "disk", size):
        place = project(folder / "disk/project")
        answered(stages(place, *STAGES))
        mount("-o", f"remount,size={20 * NEEDED}", folder / "disk")
        check(place)
    return 1


def read_only(draw: random.Random, folder: Path) -> int:
    """A part of the project, or all of it, on a file system that takes no files for a time: before
    anything is computed, or afterwards and with other settings."""
    place = project(folder / "project")
    if draw.random() < 0.5:
        ended(stages(place, *STAGES))
    finished.change(place, seed=1)
    part = draw.choice([place, *(place / part for part in PARTS)])
    with mounted(part, "--bind", part):
        mount("-o", "remount,bind,ro", part)
        answered(stages(place, *STAGES))
    finished.change(place, seed=0)
    check(place)
    return 1


def foreign(draw: random.Random, folder: Path) -> int:
    """Parts of the project on file systems of their own, or links to such."""
    place = folder / "project"
    place.mkdir()
    with contextlib.ExitStack() as disks:
        for part in draw.sample(PARTS, draw.randint(1, len(PARTS))):
            is_link = draw.random() < 0.5
            target = folder / f"disk-{part}" if is_link else place / part
            disks.enter_context(disk(target, 20 * NEEDED))
            if is_link:
                (place / part).symlink_to(target)
        project(place)
        check(place)
    return 1


MOUNTING = (
    Campaign("full disks", full, n_sample=0),
    Campaign("read-only file systems", read_only, n_sample=0),
    Campaign("several file systems", foreign, n_sample=0),
)
CAMPAIGNS = MOUNTING if os.geteuid() == 0 else ()
