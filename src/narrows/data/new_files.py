"""New files of a user as samples like the known ones, by the schema that `prepare` left."""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from narrows.config import plugins
from narrows.config.messages import plural
from narrows.data import table_frame
from narrows.data.datasets import _arrays
from narrows.data.datasets._base import Dataset, NothingLeft, Part, Skipped, counted
from narrows.errors import UserError, unreadable
from narrows.store.reading import read_arrays, read_schema


class NothingIn(NothingLeft):
    """No path has a sample that can be used.

    Args:
        sources: what was left out of which path.
    """

    def __init__(self, paths: Sequence[Path], sources: Sequence[tuple[Path, Skipped]]):
        others = f" and {plural(len(paths) - 1, 'other')}" if len(paths) > 1 else ""
        reasons = [reason for _, reason in sources]
        message = f"{paths[0]}{others}: nothing can be used (skipped: {counted(reasons)})"
        super().__init__(message, reasons)
        self.sources = list(sources)


@dataclass(frozen=True)
class Piece:
    """A file or folder of a user's, or consecutive samples of it. Any process of this machine can
    encode it; also one elsewhere, unless its content is a listing of files."""

    path: Path
    """The file or folder."""
    part: Part | None = None
    """Some of its samples; None for all of them, which are read when they are encoded."""
    skipped: tuple[Skipped, ...] = ()
    """Why there is nothing in it to encode."""


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
    pieces: list[Piece]
    """What they were read from, without what gave no sample."""


def in_parts(paths: Sequence[Path], data: Path, like: np.ndarray, n: int) -> Iterator[list[Piece]]:
    """The samples of all paths, in their order, at most n at a time; small files together.
    Raises as `read` does.

    Args:
        data: data/<dataset>.
        like: its x.npy.
    """
    check(paths)
    schema, together, n_together = read_schema(data), list[Piece](), 0
    for path in paths:
        for piece in _pieces(path, schema, like, n):
            n_own = piece.part.n if piece.part else 0
            if together and n_together + n_own > n:
                yield together
                together, n_together = [], 0
            together.append(piece)
            n_together += n_own
    yield together


def check(paths: Sequence[Path]) -> None:
    """Raises `UserError` where one is not there."""
    for path in paths:
        if not path.exists():
            raise UserError(f"there is no {path}")


def _pieces(path: Path, schema: Mapping[str, Any], like: np.ndarray, n: int) -> Iterator[Piece]:
    if _is_as_stored(path, schema):
        parts = _arrays.in_parts(_array(path, like.shape[1:]), n)
    else:
        parts = plugin_of(path, schema).parts(schema, path, n)
    try:
        with _of_this_version(path):
            yield from (Piece(path, part) for part in parts)
    except NothingLeft as nothing:
        yield Piece(path, skipped=tuple(_reasons(nothing, path)))


def read(paths: Sequence[Path], data: Path, like: np.ndarray, is_x_used: bool = True) -> NewSamples:
    """Samples of all paths, in their order: what the dataset's plug-in encodes, and .npy of samples
    as x.npy holds them, unless the schema has `suffixes` with .npy among them. Data that has no
    schema takes a .csv, too, with the values of one sample in each line. Raises as `encoded` does.

    Args:
        data: data/<dataset>.
        like: its x.npy.
        is_x_used: as `read_pieces` has it.
    """
    check(paths)
    return read_pieces([Piece(path) for path in paths], data, like, is_x_used)


def read_pieces(
    pieces: Sequence[Piece], data: Path, like: np.ndarray, is_x_used: bool = True
) -> NewSamples:
    """The same of files and folders, or parts of them.

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
    parts: list[tuple[Piece, Dataset]] = []
    skipped: list[tuple[Path, Skipped]] = []
    for piece in pieces:
        try:
            part = _dataset(piece, schema, arrays, like)
            part = part.without_blank() if is_x_used else part
        except NothingLeft as nothing:
            skipped += [(piece.path, reason) for reason in nothing.skipped]
            continue
        parts.append((piece, part))
        skipped += [(piece.path, reason) for reason in part.skipped]
    if not parts:
        raise NothingIn([piece.path for piece in pieces], skipped)
    n_columns = len(table_frame.used(schema))
    return NewSamples(
        x=_joined([part.x for _, part in parts]),
        paths=[piece.path for piece, part in parts for _ in part.x],
        names=[name for piece, part in parts for name in part.names or _numbered(part, piece)],
        dates=[date for _, part in parts for date in part.dates or [""] * len(part.x)],
        skipped=skipped,
        beyond=np.concatenate([_beyond(part, n_columns) for _, part in parts]),
        warnings=[warning for _, part in parts for warning in part.warnings],
        pieces=[piece for piece, _ in parts],
    )


def _dataset(
    piece: Piece, schema: Mapping[str, Any], arrays: Mapping[str, np.ndarray], like: np.ndarray
) -> Dataset:
    if piece.skipped:
        raise NothingLeft(f"{piece.path}: nothing can be used", piece.skipped)
    if not _is_as_stored(piece.path, schema):
        return encoded(piece.path, schema, arrays, piece.part)
    x = piece.part.content if piece.part else _array(piece.path, like.shape[1:])
    try:
        return Dataset(as_stored(x, like.dtype), None, None)
    except UserError as error:
        raise UserError(f"{piece.path}: {error}") from None


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


def _is_as_stored(path: Path, schema: Mapping[str, Any]) -> bool:
    """Whether it is an .npy or a .csv of samples as x.npy has them."""
    if path.suffix == ".csv":
        return "dataset" not in schema
    return path.suffix == ".npy" and ".npy" not in schema.get("suffixes", ())


def _array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Samples (N, ...) of this shape, or one sample, of an .npy; memory-mapped. Of a .csv a sample
    is a line."""
    if path.suffix == ".csv":
        return _lines(path, shape)
    try:
        # only mapped, so that no header can ask for more memory than the file has bytes
        x = np.asarray(np.lib.format.open_memmap(path, mode="r"))
        if x.dtype.kind not in "biuf":
            raise ValueError(f"it holds {x.dtype}")
    except Exception as error:  # a header may claim anything
        raise unreadable(path, error, "no array of numbers that can be read") from None
    x = x[None] if x.shape == shape else x
    if x.shape[1:] != shape or not len(x):
        raise UserError(f"{path}: samples are of shape {shape}, found an array {x.shape}")
    return x


def _lines(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is empty
            x = np.loadtxt(path, np.float32, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise unreadable(path, error, "no table of numbers alone") from None
    n_values = math.prod(shape)
    if x.shape[1] != n_values or not len(x):
        raise UserError(f"{path}: a line has the {n_values} values of a sample, found {x.shape[1]}")
    return x.reshape(-1, *shape)


def plugin_of(path: Path, schema: Mapping[str, Any]) -> Any:
    """The plug-in that has left the schema and is to read new files.

    Args:
        path: a new file, for the message.

    Raises:
        UserError: it reads none.
    """
    kind = schema.get("dataset")
    if kind is None or not plugins.is_available("datasets", kind):
        raise UserError(
            f"{path}: new samples of this dataset come as .npy, shaped as its x.npy, or as .csv "
            "with the values of one in each line"
        )
    return plugins.load("datasets", kind)


def encoded(
    path: Path,
    schema: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    part: Part | None = None,
) -> Dataset:
    """A user's file or folder, or a part of it, as the plug-in makes it that has left the schema
    and its arrays.

    Raises:
        UserError: as `read_pieces` does, or the schema is of another version.
    """
    plugin = plugin_of(path, schema)
    try:
        with _of_this_version(path):
            dataset: Dataset = plugin.encode(schema, arrays, path, part)
    except NothingLeft as nothing:
        raise NothingLeft(str(nothing), _reasons(nothing, path)) from None
    return dataset


@contextlib.contextmanager
def _of_this_version(path: Path) -> Iterator[None]:
    """Says that a schema is of another version where a plug-in does not find its way in it."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"{path}: the schema that `prepare` left does not go with this version "
            f"({type(error).__name__}: {error}); run `dvc repro prepare`"
        ) from error


def _beyond(data: Dataset, n_columns: int) -> np.ndarray:
    if data.beyond is not None:
        return data.beyond
    return np.zeros((len(data.x), n_columns or 1), np.float32)


def _numbered(data: Dataset, piece: Piece) -> list[str]:
    first = piece.part.first if piece.part else 0
    return [f"row {first + row + 1}" for row in range(len(data.x))]


def _reasons(nothing: NothingLeft, path: Path) -> Sequence[Skipped]:
    """Why nothing of a path can be used."""
    name = os.fsencode(path).decode("utf-8", "backslashreplace")
    return nothing.skipped or [Skipped(name, "nothing in it")]
