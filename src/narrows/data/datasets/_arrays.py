"""Arrays in .npy and .npz files, looked at by their headers and mapped into memory; no pickles."""

from __future__ import annotations

import io
import math
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
from numpy.lib import format as npy

from narrows.data import blocks
from narrows.data.datasets._base import Part
from narrows.errors import UserError, unreadable
from narrows.store import outputs

NO_ARRAYS = "no arrays that can be read"
NPY, NPZ = ".npy", ".npz"
NUMBERS = "biuf"
"""Kinds of types that samples may have: truth values, whole numbers, floats."""


class Header(NamedTuple):
    """What an array says of itself."""

    shape: tuple[int, ...]
    """Its shape."""
    dtype: np.dtype
    """Its type."""


def headers(path: Path) -> dict[str, Header]:
    """Every array of a file by its name, which is empty in an .npy; no value is read.

    Raises:
        UserError: the file cannot be read, or is neither.
    """
    try:
        if path.suffix.lower() == NPZ:
            with zipfile.ZipFile(path) as archive:
                members = [info for info in archive.infolist() if info.filename.endswith(NPY)]
                content = {}
                for info in members:
                    with archive.open(info) as stream:
                        content[info.filename.removesuffix(NPY)] = _header(stream)[0]
                return content
        with path.open("rb") as stream:
            return {"": _header(stream)[0]}
    except Exception as error:  # headers and archives may claim anything
        raise unreadable(path, error, NO_ARRAYS) from None


def in_parts(array: np.ndarray, n: int) -> Iterator[Part]:
    """Samples (N, ...), n at a time, as copies; of none an empty part."""
    first = 0
    for block in blocks.blocks(array, n) if len(array) else [array]:
        yield Part(len(block), first, block)
        first += len(block)


def opened(path: Path, name: str = "") -> np.ndarray:
    """An array (memory-mapped) of an .npy, or the one of this name in an .npz.

    Raises:
        UserError: it cannot be read, or holds Python objects.
    """
    try:
        if path.suffix.lower() != NPZ:
            return cast(np.ndarray, npy.open_memmap(path, mode="r"))
        outputs.WORK.mkdir(exist_ok=True)
        with (
            zipfile.ZipFile(path) as archive,
            tempfile.NamedTemporaryFile(dir=outputs.WORK, suffix=NPY) as copy,
        ):
            with archive.open(name + NPY) as member:
                header, n_bytes = _header(member)
            expected = n_bytes + math.prod(header.shape) * header.dtype.itemsize
            if archive.getinfo(name + NPY).file_size != expected:
                raise ValueError(f"{name} is not as long as its header says")
            with archive.open(name + NPY) as member:
                shutil.copyfileobj(member, copy)
            copy.flush()
            return cast(np.ndarray, npy.open_memmap(copy.name, mode="r"))
    except Exception as error:
        raise unreadable(path, error, NO_ARRAYS) from None


def chosen(path: Path, key: str | None, besides: str | None = None) -> str:
    """Name of the array of samples: the key, or the only one there is besides that of the labels.

    Raises:
        UserError: there is no such array, or more than one may be meant.
    """
    names = list(headers(path))
    listed = ", ".join(names[:20]) or "no array"
    if path.suffix.lower() != NPZ:
        if key is not None:
            raise UserError(f"params.yaml: dataset.key is for an .npz; {path} holds one array")
        return ""
    if key is None:
        names = [name for name in names if name != besides]
        if len(names) != 1:
            raise UserError(f"params.yaml: dataset.key: which array of {path}? It has {listed}")
        return names[0]
    if key not in names:
        raise UserError(f"params.yaml: dataset.key: {path} has no array {key!r}; it has {listed}")
    return key


def _header(stream: IO[bytes] | io.BufferedIOBase) -> tuple[Header, int]:
    """The header of an .npy, and how many bytes it takes."""
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(stream)
    if version not in read:
        raise ValueError(f"version {version} of the format, which no array of numbers has")
    shape, _, dtype = read[version](stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which could run code; save numbers")
    return Header(shape, dtype), stream.tell()
