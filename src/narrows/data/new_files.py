"""New files of a user as samples like the known ones, by the schema that `prepare` left."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from narrows.config import plugins
from narrows.config.messages import plural
from narrows.data import table_frame
from narrows.data.datasets._base import Dataset, NothingLeft, Skipped, counted
from narrows.errors import UserError, unreadable
from narrows.store.reading import read_arrays, read_schema


@dataclass(frozen=True)
class NewSamples:
    """Samples of new files, in their order."""

    x: np.ndarray
    """(N, ...), of the shape, type and scale of data/<dataset>/x.npy."""
    paths: list[Path]
    """Path of the user's that every sample came from."""
    names: list[str]
    """Name of every sample: path within that folder, name of the file, or row."""
    dates: list[str]
    """Date of every sample, ISO 8601, or empty."""
    skipped: list[tuple[Path, Skipped]]
    """Path of the user's, and what was left out of it."""
    beyond: np.ndarray
    """How far values of a table lie outside what became 0 to 1, (N, C) by its columns that became
    features as `Dataset` has it; of other data (N, 1), 0 unless it is an array."""
    warnings: list[str]
    """Sentences on what was changed so that it fits."""

    def part(self, rows: slice) -> NewSamples:
        """Consecutive samples; what was skipped and changed goes with the last ones."""
        is_last = rows.stop >= len(self.x)
        return NewSamples(
            x=self.x[rows],
            paths=self.paths[rows],
            names=self.names[rows],
            dates=self.dates[rows],
            skipped=self.skipped if is_last else [],
            beyond=self.beyond[rows],
            warnings=self.warnings if is_last else [],
        )


def read(paths: Sequence[Path], data: Path, like: np.ndarray, is_x_used: bool = True) -> NewSamples:
    """Samples of all paths, in their order: what the dataset's plug-in encodes, and .npy of samples
    as x.npy holds them, unless the schema has `suffixes` with .npy among them.

    Args:
        data: data/<dataset>.
        like: its x.npy.
        is_x_used: whether x is what is looked at, and not what it was made from; if not, samples
            of which x says nothing are good as well.

    Raises:
        NothingLeft: nothing can be used.
        UserError: nothing is there, a column is missing, or values do not fit.
    """
    schema, arrays = read_schema(data), read_arrays(data / "schema/arrays.npz")
    parts: list[tuple[Path, Dataset]] = []
    skipped: list[tuple[Path, Skipped]] = []
    for path in paths:
        if not path.exists():
            raise UserError(f"there is no {path}")
        try:
            is_as_stored = path.suffix == ".npy" and ".npy" not in schema.get("suffixes", ())
            part = _array(path, like) if is_as_stored else encoded(path, schema, arrays)
            part = part.without_blank() if is_x_used else part
        except NothingLeft as nothing:
            skipped += [(path, reason) for reason in nothing.skipped]
            continue
        parts.append((path, part))
        skipped += [(path, reason) for reason in part.skipped]
    if not parts:
        others = f" and {plural(len(paths) - 1, 'other')}" if len(paths) > 1 else ""
        reasons = counted([s for _, s in skipped])
        raise NothingLeft(
            f"{paths[0]}{others}: nothing can be used (skipped: {reasons})", [s for _, s in skipped]
        )
    n_columns = len(table_frame.used(schema))
    return NewSamples(
        x=_joined([part.x for _, part in parts]),
        paths=[path for path, part in parts for _ in part.x],
        names=[name for _, part in parts for name in part.names or _numbered(part)],
        dates=[date for _, part in parts for date in part.dates or [""] * len(part.x)],
        skipped=skipped,
        beyond=np.concatenate([_beyond(part, n_columns) for _, part in parts]),
        warnings=[warning for _, part in parts for warning in part.warnings],
    )


def as_stored(x: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Samples of any numeric type as x.npy holds them.

    Raises:
        UserError: values that are not finite, or no pixels, or outside [0, 1].
    """
    if x.dtype == dtype == np.uint8:
        return x  # any byte is a pixel
    if not np.isfinite(x).all():
        raise UserError("samples have values that are not finite")
    if dtype == np.uint8:
        if not (fits := (x >= 0) & (x <= 255) & (x == np.round(x))).all():
            raise UserError(f"pixels are whole numbers from 0 to 255, found {x[~fits].flat[0]:g}")
    elif not (fits := (x >= 0) & (x <= 1)).all():
        raise UserError(f"values are from 0 to 1, found {x[~fits].flat[0]:g}")
    return x.astype(dtype)


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Samples (N, ...) of all parts; one alone stays where it is, which may be on disk."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _array(path: Path, like: np.ndarray) -> Dataset:
    """Samples (N, ...) or one sample of an .npy."""
    try:
        # only mapped, so that no header can ask for more memory than the file has bytes
        x = np.asarray(np.lib.format.open_memmap(path, mode="r"))
        if x.dtype.kind not in "biuf":
            raise ValueError(f"it holds {x.dtype}")
    except Exception as error:  # a header may claim anything
        raise unreadable(path, error, "no array of numbers that can be read") from None
    shape = like.shape[1:]
    x = x[None] if x.shape == shape else x
    if x.shape[1:] != shape or not len(x):
        raise UserError(f"{path}: samples are of shape {shape}, found an array {x.shape}")
    try:
        return Dataset(as_stored(x, like.dtype), None, None)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def encoded(path: Path, schema: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Dataset:
    """A user's file or folder as the plug-in makes it that has left the schema and its arrays.

    Raises:
        UserError: as `read` does, or the schema is of another version.
    """
    kind = schema.get("dataset")
    if kind is None or not plugins.is_available("datasets", kind):
        raise UserError(f"{path}: new samples of this dataset come as .npy, shaped as its x.npy")
    name = os.fsencode(path).decode("utf-8", "backslashreplace")
    try:
        dataset: Dataset = plugins.load("datasets", kind).encode(schema, arrays, path)
    except NothingLeft as nothing:
        raise NothingLeft(str(nothing), nothing.skipped or [Skipped(name, "nothing in it")]) from (
            None
        )
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"{path}: the schema that `prepare` left does not go with this version "
            f"({type(error).__name__}: {error}); run `dvc repro prepare`"
        ) from error
    return dataset


def _beyond(data: Dataset, n_columns: int) -> np.ndarray:
    if data.beyond is not None:
        return data.beyond
    return np.zeros((len(data.x), n_columns or 1), np.float32)


def _numbered(data: Dataset) -> list[str]:
    return [f"row {row + 1}" for row in range(len(data.x))]
