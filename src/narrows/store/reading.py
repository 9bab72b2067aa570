"""Files of rows as Python: one reader for each kind, which says what to run where one is missing or
damaged. Arrays, words and weights only: no file of the artifacts can run code."""

from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Callable, Sized
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from narrows.config.messages import cut
from narrows.errors import UserError
from narrows.store.digests import digest_of

T = TypeVar("T")
SCHEMA = {"dataset": str, "size": int, "columns": list, "terms": list}
"""Keys of a schema, and what they are where they are there."""
STAGES = {
    "choose_k": "choose_k",
    "clusterings": "cluster",
    "deep_clusterings": "deep_cluster",
    "encoders": "encode",
    "evaluations": "evaluate",
    "pretrained": "pretrained",
    "searches": "tune",
    "seed_encoders": "seeds",
    "seeds": "seeds",
}
"""The stage that leaves a folder of artifacts/<dataset>/."""


def stage_of(file: Path) -> str:
    """The DVC stage that leaves a file.

    >>> stage_of(Path("artifacts/digits/encoders/pca/codes.npy")), stage_of(Path("data/d/x.npy"))
    ('encode', 'prepare')
    """
    stages = [STAGES[part] for part in file.parts if part in STAGES and "artifacts" in file.parts]
    return stages[0] if stages else "fetch" if "raw" in file.parts else "prepare"


def existing(file: Path) -> Path:
    """The file itself.

    Raises:
        UserError: it is missing; says which stage leaves it.
    """
    if not file.exists():
        raise UserError(f"{file} is missing; run `dvc repro {stage_of(file)}`")
    return file


def same_rows(file: Path, rows: Sized, x: Sized) -> None:
    """Raises `UserError` where what a file holds is not of as many samples as x."""
    if len(rows) != len(x):
        raise UserError(f"{file} has {len(rows)} rows and x.npy has {len(x)}; run `dvc repro`")


def read_json(file: Path) -> Any:
    """A JSON file's content; raises as `existing` does, also where it is damaged: where it cannot
    be read, or is not what its row has left."""
    return _read(file, lambda: json.loads(file.read_text(encoding="utf-8")))


def read_schema(folder: Path) -> dict[str, Any]:
    """How `prepare` has encoded the samples in data/<dataset>; raises as `read_json` does."""
    file = folder / "schema/schema.json"
    schema = read_json(file)
    if not isinstance(schema, dict):
        raise _damaged(file, f"it should be a mapping, found {type(schema).__name__}")
    for key, kind in SCHEMA.items():
        if not isinstance(schema.get(key), kind | None):
            raise _damaged(file, f"{key} should be {kind.__name__}, found {schema[key]!r}")
    return schema


def read_array(file: Path, mmap: bool = True) -> np.ndarray:
    """The array of a .npy file, memory-mapped; raises as `read_json` does."""
    return _read(file, lambda: np.load(file, mmap_mode="r" if mmap else None, allow_pickle=False))


def read_arrays(file: Path) -> dict[str, np.ndarray]:
    """The arrays of a .npz file by name; raises as `read_json` does."""

    def read() -> dict[str, np.ndarray]:
        # numpy leaves a damaged file open that it has opened itself
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return dict(arrays)

    return _read(file, read)


def read_columns(file: Path) -> dict[str, np.ndarray]:
    """Columns of a CSV of numbers by name, an empty cell as nan; raises as `read_json` does."""

    def read() -> dict[str, np.ndarray]:
        with file.open(newline="", encoding="utf-8") as stream:
            header, *lines = csv.reader(stream)
        values = np.array([[cell or "nan" for cell in line] for line in lines], dtype=float)
        return dict(zip(header, values.T, strict=True))

    return _read(file, read)


def read_lines(file: Path) -> list[list[str]]:
    """Lines of a CSV of words, its header first; what is no UTF-8 is a surrogate; raises as
    `read_json` does."""

    def read() -> list[list[str]]:
        with file.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
            return list(csv.reader(stream))

    return _read(file, read)


def read_weights(file: Path) -> dict[str, Any]:
    """Tensors by name, on the CPU; raises as `read_json` does, also for more than weights."""
    import torch

    def read() -> dict[str, Any]:
        weights: dict[str, Any] = torch.load(file, weights_only=True, map_location="cpu")
        return weights

    return _read(file, read)


def _read(file: Path, read: Callable[[], T]) -> T:
    existing(file)
    try:
        content = read()
    except pickle.UnpicklingError:
        raise _damaged(file, "it holds more than weights, or is no file of weights") from None
    except Exception as error:  # parsers of damaged bytes raise anything
        raise _damaged(file, str(error) or type(error).__name__) from None
    if _recorded(file) not in (None, digest_of(file)):
        raise _damaged(file, "it is not what its row has left")
    return content


def _recorded(file: Path) -> str | None:
    """SHA-256 of a file by the row.json beside it; None where that says nothing."""
    try:
        record = json.loads(file.with_name("row.json").read_text(encoding="utf-8"))
        return str(record["files"][file.name])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _damaged(file: Path, problem: str) -> UserError:
    line = cut(" ".join(problem.split()))
    return UserError(f"{file} is damaged ({line}); run `dvc repro {stage_of(file)}`")
