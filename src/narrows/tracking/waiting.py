"""What MLflow's store has not taken yet: a folder below .work/unlogged for each run.

A folder holds run.json and, by number, the pictures and files that it names; no pickle. Its name
begins with the time, so that runs are logged in the order in which they began.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from PIL import Image

from narrows.errors import say, sentence
from narrows.store import outputs
from narrows.tracking import marks
from narrows.tracking.run import Beginning, RunData

RUN = "run.json"
LIMIT = 10 * 2**30
"""Bytes that may wait."""


class Damaged(Exception):
    """A folder that cannot be read."""


def home() -> Path:
    """Where runs wait."""
    return marks.home()


def keep(beginning: Beginning, calls: list[tuple[str, list[Any]]]) -> None:
    """Puts a run's calls where they wait; says so where even that fails, and goes on."""
    folder = home() / f"{beginning.begun_ns}-{os.getpid()}"
    partial = folder.with_name(f".{folder.name}.part")
    try:
        partial.mkdir(parents=True)
        packed = [[method, [_pack(a, partial) for a in arguments]] for method, arguments in calls]
        record = {"beginning": dataclasses.asdict(beginning), "calls": packed}
        (partial / RUN).write_text(json.dumps(record, default=str), encoding="utf-8")
        partial.replace(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        why = sentence(error, home())
        say(f"{beginning.name}: what MLflow lacks of it is not logged and cannot wait: {why}")


def bound() -> None:
    """Deletes the oldest runs beyond `LIMIT`, and says so: a store that never comes back does not
    fill the disk."""
    if dropped := outputs.drop_oldest(_folders(), LIMIT):
        say(
            f"MLflow: {len(dropped)} runs that waited longest in {home()} are deleted, because "
            f"more than {LIMIT // 2**30} GiB wait there; their rows are well"
        )


def read(folder: Path) -> tuple[Beginning, list[tuple[str, list[Any]]]]:
    """What `keep` wrote; raises `Damaged` where it cannot be read."""
    try:
        record = json.loads((folder / RUN).read_text(encoding="utf-8"))
        data = record["beginning"].pop("data")
        data = RunData(data["name"], data["digest"], tuple(data["shape"]))
        calls = [(method, [_unpack(a, folder) for a in rest]) for method, rest in record["calls"]]
        return Beginning(**record["beginning"], data=data), calls
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise Damaged(f"{folder} is damaged and deleted: {type(error).__name__}") from error


def drop(folder: Path) -> None:
    """Deletes a folder that is logged."""
    shutil.rmtree(folder, ignore_errors=True)


def is_empty() -> bool:
    """Whether nothing waits."""
    return not _folders()


@contextlib.contextmanager
def folders() -> Iterator[list[Path]]:
    """All folders, the oldest first, for one process at a time; none where another has them."""
    if is_empty():
        yield []
        return
    lock = filelock.FileLock(home() / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        yield []
        return
    with lock:
        yield _folders()


def _folders() -> list[Path]:
    return sorted(path for path in home().glob("[0-9]*") if path.is_dir())


def _pack(argument: Any, folder: Path) -> Any:
    """An argument as JSON holds it; pictures and bytes as files beside."""
    if isinstance(argument, np.ndarray):
        name = f"{len(list(folder.iterdir()))}.png"
        Image.fromarray(argument).save(folder / name)
        return {"picture": name}
    if isinstance(argument, bytes):
        name = f"{len(list(folder.iterdir()))}.bin"
        (folder / name).write_bytes(argument)
        return {"bytes": name}
    return argument


def _unpack(argument: Any, folder: Path) -> Any:
    if isinstance(argument, dict) and list(argument) == ["picture"]:
        with Image.open(folder / Path(argument["picture"]).name, formats=["PNG"]) as picture:
            return np.asarray(picture)
    if isinstance(argument, dict) and list(argument) == ["bytes"]:
        return (folder / Path(argument["bytes"]).name).read_bytes()
    return argument
