"""Pictures of your own: every JPEG, PNG, WebP, GIF, TIFF, BMP (and HEIC) in a folder, as squares.

HEIC needs the package pillow-heif. Files that cannot be used are left out and told of.
"""

from __future__ import annotations

import csv
import functools
import io
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Any

import numpy as np
from pydantic import Field, PositiveInt

from narrows.config.plugins import config
from narrows.data.datasets import _files, _pictures
from narrows.data.datasets._base import Dataset, Skipped, numbered
from narrows.data.datasets._files import ListedFile
from narrows.data.datasets._pictures import Shape
from narrows.errors import UserError
from narrows.store import outputs

FOLDERS = "folders"
LABELS = "labels.csv"  # the copy of the user's file


@config
class Config:
    """A folder, and what every picture in it is made into."""

    path: str
    """The folder; ~ is your home. Folders in it are searched, hidden ones are not."""
    size: Annotated[int, Field(ge=4, le=1024)] = 64
    """Side of the square in pixels into which every picture is fitted, its aspect kept."""
    colour: bool = True
    """Three channels, or one of grey."""
    background: Annotated[int, Field(ge=0, le=255)] = 255
    """Grey value beside a picture that is no square, and below transparent pixels."""
    labels: str | None = None
    """For scoring only: `folders` takes the name of the folder that a picture lies in, anything
    else is a CSV with the columns filename and label. Pictures without a label are left out."""
    max_pixels: PositiveInt = 50_000_000
    """Larger pictures are left out; a JPEG counts by what has to be decoded of it, which of a
    progressive one is all of it."""


def fetch(cfg: Config, raw_dir: Path) -> None:
    """Lists the folder; the pictures stay where they are."""
    root = _files.located(cfg.path)
    if not root.is_dir():
        raise UserError(f"params.yaml: dataset.path: {root} is no folder")
    copies = {} if cfg.labels in (None, FOLDERS) else {LABELS: _label_file(cfg, root)}
    suffixes = _pictures.SUFFIXES | _pictures.HEIC
    _files.fetch(_files.find(root, suffixes, ignored=copies.values()), raw_dir, copies)


def load(cfg: Config, raw_dir: Path) -> Dataset:
    """Pictures uint8 (N, C, size, size) in the order of their paths."""
    root, files = _files.located(cfg.path), _files.read(raw_dir)
    labels = _labels(cfg, files, root, raw_dir)
    shape = Shape(cfg.size, cfg.colour, cfg.background, cfg.max_pixels)
    return _load(root, files, shape, labels)


def encode(schema: Mapping[str, Any], arrays: Mapping[str, np.ndarray], path: Path) -> Dataset:
    """New pictures, a folder or one file, as `load` made those that were learned from."""
    files = _files.find(path, _pictures.SUFFIXES | _pictures.HEIC, is_remembered=False)
    root = path if path.is_dir() else path.parent
    shape = Shape(**{name: schema[name] for name in Shape._fields})
    return _load(root, files, shape, None)


def _load(
    root: Path, files: Sequence[ListedFile], shape: Shape, labels: Mapping[str, str] | None
) -> Dataset:
    used, skipped = _files.usable(files)
    if labels is not None:
        skipped += [Skipped(file.path, "no label") for file in used if file.path not in labels]
        used = [file for file in used if file.path in labels]
    decode = functools.partial(_decode, shape, _pictures.formats())
    names: list[str] = []
    dates: list[str] = []
    outputs.WORK.mkdir(exist_ok=True)
    with (
        warnings.catch_warnings(),
        _without_pillows_limit(),
        tempfile.TemporaryFile(dir=outputs.WORK) as pixels,  # there may be more than fit in memory
    ):
        warnings.simplefilter("ignore")  # of Pillow, about odd metadata
        for file, result in zip(used, _files.in_order(root, used, decode), strict=True):
            if isinstance(result, str):
                skipped.append(Skipped(file.path, result))
                continue
            picture, date = result
            pixels.write(picture.tobytes())
            names.append(file.path)
            dates.append(date)
        if not names:
            raise _files.none_left(root, "picture", skipped)
        pixels.flush()
        n_channels = 3 if shape.colour else 1
        x_shape = (len(names), n_channels, shape.size, shape.size)
        x = np.memmap(pixels, np.uint8, "c", shape=x_shape)
    numbers, label_names = numbered([labels[name] for name in names]) if labels else (None, None)
    return Dataset(
        x,
        numbers,
        is_test=None,
        names=names,
        dates=dates,
        label_names=label_names,
        skipped=sorted(skipped),
        schema={"dataset": "image_folder", **shape._asdict()},
    )


def _decode(
    shape: Shape, accepted: tuple[str, ...], file: ListedFile, stream: IO[bytes]
) -> tuple[np.ndarray, str] | str:
    """Pixels and date of a picture, or why it cannot be used."""
    if PurePosixPath(file.path).suffix.lower() in _pictures.HEIC and "HEIF" not in accepted:
        return "needs the package pillow-heif"
    try:
        return _pictures.decode(stream, shape, accepted)
    except _pictures.Unreadable as why:
        return str(why)


def _label_file(cfg: Config, root: Path) -> Path:
    path = Path(str(cfg.labels)).expanduser()
    file = _files.located(str(path if path.is_absolute() else root / path), "dataset.labels")
    if not file.is_file():
        raise UserError(
            f"params.yaml: dataset.labels: {file} is no file; accepted are null, folders and a "
            "CSV with the columns filename and label"
        )
    return file


def _labels(
    cfg: Config, files: Sequence[ListedFile], root: Path, raw_dir: Path
) -> dict[str, str] | None:
    """{path: label} of the pictures that have one; None without labels."""
    if cfg.labels is None:
        return None
    paths = {file.path for file in files}
    if cfg.labels == FOLDERS:
        parents = {path: PurePosixPath(path).parent.name for path in paths}
        return {path: parent for path, parent in parents.items() if parent}
    file = _label_file(cfg, root)
    text = (raw_dir / LABELS).read_text(encoding="utf-8-sig", errors="replace")
    csv.field_size_limit(1 << 17)  # of the whole process, which may have set another
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        columns = reader.fieldnames or ()
        pairs = [(row.get("filename"), row.get("label")) for row in reader]
    except csv.Error as error:
        raise UserError(
            f"params.yaml: dataset.labels: {file} is no table that can be read: {error}"
        ) from None
    if not {"filename", "label"} <= set(columns):
        raise UserError(
            f"params.yaml: dataset.labels: {file} should have the columns filename and label, "
            f"found {', '.join(columns)[:200] or 'none'}"
        )
    rows = [(name, label) for name, label in pairs if name and label]
    # train.csv may tell of train/0.png as train/0.png or as 0.png
    near = PurePosixPath(os.path.relpath(file.parent, root).replace(os.sep, "/"))
    labels: dict[str, str] = {}
    for name, label in rows:
        places = (PurePosixPath(name), near / name, near / file.stem / name)
        labels |= {str(place): label for place in places[::-1] if str(place) in paths}
    if not labels:
        example = f", for example {rows[0][0]!r}" if rows else ""
        raise UserError(f"params.yaml: dataset.labels: {file} names no picture in {root}{example}")
    return labels


class _without_pillows_limit:
    """Pillow refuses by the size that a file claims; `decode` asks what has to be decoded."""

    def __enter__(self) -> None:
        from PIL import Image

        self.limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None

    def __exit__(self, *_: object) -> None:
        from PIL import Image

        Image.MAX_IMAGE_PIXELS = self.limit
