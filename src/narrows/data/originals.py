"""What samples were made from: pictures at any size, or texts, for encoders that others trained.

Features of a photograph that was first made small are worth half of those of the file itself, so
an encoder does not see x.npy where there are files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from narrows.config import plugins
from narrows.config.plugins import Plugin
from narrows.data import names
from narrows.data.datasets import _files
from narrows.data.datasets._base import Original
from narrows.data.new_files import NewSamples
from narrows.errors import UserError
from narrows.store.reading import read_array, read_schema


def known(dataset: Plugin, folder: Path) -> list[Original]:
    """The originals of all samples, in the order of x.npy.

    Args:
        folder: data/<dataset>.

    Raises:
        UserError: the data is neither pictures nor documents, or a file is missing.
    """
    x = read_array(folder / "x.npy")  # by whose schema the files are those that were listed
    samples = names.read(folder / "samples.csv", len(x))
    paths = samples.paths if samples else []
    return of(dataset, read_schema(folder), x, paths, folder / "raw")


def named(dataset: Plugin, folder: Path, paths: Collection[str]) -> dict[str, Original]:
    """The originals of some samples by name; other files of a user's folder are not opened, and
    may have changed.

    Args:
        folder: data/<dataset>.
        paths: names of the samples, as in samples.csv.

    Raises:
        UserError: a file is missing or has changed, or the data has no originals of its own.
    """
    schema = read_schema(folder)
    if "originals" not in schema:
        raise UserError(f"{folder} does not say what its samples were made from; run `dvc repro`")
    root, listed = _files.located(dataset.config.path), _files.read(folder / "raw")
    own = [file for file in listed if file.path in paths]
    by_name = _of(schema, root, own or listed)  # samples that are rows lie in files of other names
    return {name: _named(by_name, name, root) for name in paths}


def of(
    dataset: Plugin, schema: Mapping[str, Any], x: np.ndarray, paths: Sequence[str], raw: Path
) -> list[Original]:
    """The originals of samples that were loaded; raises as `known` does.

    Args:
        schema: that the dataset left.
        paths: name of every sample; empty where samples have none.
        raw: what its `fetch` has left.
    """
    if "originals" not in schema:
        return of_array(x)
    root = _files.located(dataset.config.path)
    by_name = _of(schema, root, _files.read(raw))
    return [_named(by_name, name, root) for name in paths]


def new(schema: Mapping[str, Any], samples: NewSamples) -> list[Original]:
    """The originals of new samples, in their order: of those that came as arrays these are all that
    there is.

    Args:
        schema: that `prepare` left.
    """
    paths = samples.paths
    if "originals" not in schema or any(path.suffix == ".npy" for path in paths):
        return of_array(samples.x)
    by_path: dict[Path, dict[str, Original]] = {}
    for piece in samples.pieces:
        if piece.part or piece.path not in by_path:
            own = _of(schema, piece.path, piece.part.content if piece.part else None)
            by_path.setdefault(piece.path, {}).update(own)
    names = zip(paths, samples.names, strict=True)
    return [_named(by_path[path], name, path) for path, name in names]


def of_array(x: np.ndarray) -> list[Original]:
    """Pictures of an array uint8 (N, C, H, W), enlarged as they are looked at.

    Raises:
        UserError: they are no pictures.
    """
    if x.ndim != 4:
        raise UserError(
            "params.yaml: pretrained: its encoders take pictures or documents, and the data is a "
            "table"
        )
    return [_Enlarged(x, row).original() for row in range(len(x))]


def _of(schema: Mapping[str, Any], path: Path, listed: Any) -> Mapping[str, Original]:
    by_name: Mapping[str, Original] = plugins.load("datasets", schema["dataset"]).originals(
        schema, path, listed
    )
    return by_name


def _named(by_name: Mapping[str, Original], name: str, root: Path) -> Original:
    if name not in by_name:
        raise UserError(f"{root}: {name} went away after fetch; run `dvc repro` again")
    return by_name[name]


class _Enlarged:
    """One picture of an array."""

    def __init__(self, x: np.ndarray, row: int):
        self.x, self.row = x, row

    def original(self) -> Original:
        pixels = np.ascontiguousarray(self.x[self.row])
        return Original(hashlib.sha256(pixels.tobytes()).hexdigest(), self.read)

    def read(self, size: int) -> np.ndarray:
        """uint8 (3, size, size)."""
        from PIL import Image

        planes = [
            Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC)
            for plane in np.asarray(self.x[self.row])
        ]
        pixels = np.stack([np.asarray(plane) for plane in planes])
        return np.repeat(pixels, 3, axis=0) if len(pixels) == 1 else pixels
