"""Pictures of your own: every JPEG, PNG, WebP, GIF, TIFF, BMP (and HEIC) in a folder, as squares.

HEIC needs the package pillow-heif. Files that cannot be used are left out and told of.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import os
import threading
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import numpy as np
from pydantic import Field, PositiveInt

from narrows.config.plugins import config
from narrows.data import decoding, scales
from narrows.data.datasets import _copies, _files, _pictures
from narrows.data.datasets._base import Dataset, Original, Part, Skipped, numbered
from narrows.data.datasets._files import ListedFile, composed
from narrows.data.datasets._pictures import Picture, Shape
from narrows.errors import UserError
from narrows.store import outputs
from narrows.store.digests import digest_of

FOLDERS = "folders"
LABELS = "labels.csv"  # the copy of the user's file
SHAPE = ("size", "colour", "background", "max_pixels")  # keys that say what becomes of a picture
FEW = 3  # pictures without a label that are no sign of another spelling


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
    exclude: tuple[str, ...] = ()
    """Files and folders that are left out, by name or by path, * for anything. Folders that a NAS,
    an archive or a system makes, like @eaDir and __MACOSX, always are."""


def fetch(cfg: Config, raw_dir: Path) -> None:
    """Lists the folder; the pictures stay where they are. Of large ones small copies are made."""
    root = _files.located(cfg.path)
    if not root.is_dir():
        raise UserError(f"params.yaml: dataset.path: {root} is no folder")
    copies = {} if cfg.labels in (None, FOLDERS) else {LABELS: _label_file(cfg, root)}
    suffixes = _pictures.SUFFIXES | _pictures.HEIC
    with _quiet():
        listed = _files.find(
            root, suffixes, ignored=copies.values(), exclude=cfg.exclude, also=_copies.remember
        )
    _files.fetch(listed, raw_dir, copies)
    _copies.bound()


def load(cfg: Config, raw_dir: Path) -> Dataset:
    """Pictures uint8 (N, C, size, size) in the order of their paths."""
    root, files = _files.located(cfg.path), _files.read(raw_dir)
    shape = Shape(cfg.size, cfg.colour, cfg.background, cfg.max_pixels)
    used, skipped = _files.usable(files)
    labels, odd = _labels(cfg, [file.path for file in files], root, raw_dir)
    if labels is not None:
        skipped += [Skipped(file.path, "no label") for file in used if file.path not in labels]
        used = [file for file in used if file.path in labels]
    schema = {"dataset": "image_folder", "originals": "pictures", "exclude": list(cfg.exclude)}
    schema |= {name: getattr(shape, name) for name in SHAPE}
    schema["listing"] = digest_of(raw_dir / _files.LISTING)
    return _load(root, used, skipped, schema, labels=labels, odd=odd)


def parts(schema: Mapping[str, Any], path: Path, n: int) -> Iterator[Part]:
    """New pictures, a folder or one file, n at a time: the listing of their files."""
    yield from _files.in_parts(_found(schema, path), n)


def encode(
    schema: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    path: Path,
    part: Part | None = None,
) -> Dataset:
    """New pictures, a folder or one file, as `load` made those that were learned from; all, or
    those of a part."""
    files = part.content if part else _found(schema, path, _copies.remember)
    root = path if path.is_dir() else path.parent
    dataset = _load(root, *_files.usable(files), schema, ranges=schema["ranges"])
    _copies.bound()
    return dataset


def _found(
    schema: Mapping[str, Any], path: Path, also: _files.Also | None = None
) -> list[ListedFile]:
    suffixes = _pictures.SUFFIXES | _pictures.HEIC
    with _quiet():
        return _files.find(
            path, suffixes, is_remembered=False, exclude=schema["exclude"], also=also
        )


def originals(
    schema: Mapping[str, Any], path: Path, listed: Sequence[ListedFile] | None
) -> dict[str, Original]:
    """The pictures of the files by name, to be read at another size.

    Args:
        path: the folder, or one file.
        listed: what `fetch` found, or is in a part; None looks again.
    """
    files = listed or _found(schema, path)
    root, accepted = path if path.is_dir() else path.parent, _pictures.formats()
    return {
        file.path: Original(
            file.sha256, functools.partial(_read, schema, accepted, root, file), root / file.path
        )
        for file in _files.usable(files)[0]
    }


def _read(
    schema: Mapping[str, Any], accepted: tuple[str, ...], root: Path, file: ListedFile, size: int
) -> np.ndarray:
    """The middle of a picture, uint8 (3, size, size)."""
    shape = Shape(size, True, schema["background"], schema["max_pixels"], is_filled=True)
    with _without_pillows_limit():
        picture = _copies.picture(root, file, shape, accepted)
    if not picture.kind:
        return picture.pixels
    return scales.grey_values(picture.pixels, schema["ranges"][picture.kind], shape.background)[0]


def _load(
    root: Path,
    files: Sequence[ListedFile],
    skipped: list[Skipped],
    schema: Mapping[str, Any],
    *,
    labels: Mapping[str, str] | None = None,
    odd: Sequence[str] = (),
    ranges: scales.Ranges | None = None,
) -> Dataset:
    """The pictures that can be used.

    Args:
        labels: by path; of all the files, or None.
        odd: what is to be said of the labels.
        ranges: scale of known pictures; None where it is to be learned from these ones.
    """
    shape = Shape(**{name: schema[name] for name in SHAPE})
    outputs.WORK.mkdir(exist_ok=True)
    size = (3 if shape.colour else 1, shape.size, shape.size)
    with scales.Pictures(outputs.WORK, size, shape.background) as on_disk:
        pictures = _read_into(on_disk, root, files, shape, skipped)
        names = list(pictures)
        scaled = on_disk.scaled(ranges)
    skipped += [Skipped(names[row], fault) for row, fault in scaled.faults.items()]
    if not scaled.rows:
        raise _files.none_left(root, "picture", skipped)
    if ranges is None:
        notes = [_facts([*pictures.values()], shape)]
        notes += scales.sentences(on_disk.extremes, scaled.ranges, names)
    else:
        notes = scales.beyond(scaled.cut, names)
    used = [names[row] for row in scaled.rows]
    numbers, label_names = numbered([labels[name] for name in used]) if labels else (None, None)
    return Dataset(
        scaled.x,
        numbers,
        is_test=None,
        names=used,
        dates=[pictures[name].date for name in used],
        places=[pictures[name].place for name in used],
        label_names=label_names,
        skipped=sorted(skipped),
        schema={**schema, "ranges": scaled.ranges},
        warnings=[*notes, *odd],
    )


def _read_into(
    on_disk: scales.Pictures,
    root: Path,
    files: Sequence[ListedFile],
    shape: Shape,
    skipped: list[Skipped],
) -> dict[str, Picture]:
    """Reads all files, and says what they are, by path, without their pixels."""
    pictures: dict[str, Picture] = {}
    decode = functools.partial(_decode_all, root, shape, _pictures.formats())
    with _quiet():
        for file, result in zip(files, _files.side_by_side(decode, files), strict=True):
            if isinstance(result, str):
                skipped.append(Skipped(file.path, result))
            else:
                on_disk.add(result.pixels, result.kind)
                pictures[file.path] = result._replace(pixels=np.empty(0))
    return pictures


def _facts(pictures: Sequence[Picture], shape: Shape) -> str:
    """Which formats and sizes there were, and what of them was not used."""
    counts = Counter(picture.format for picture in pictures).most_common()
    formats = ", ".join(f"{n:,} {name}" for name, n in counts)
    sizes = sorted((picture.size for picture in pictures), key=lambda size: size[0] * size[1])
    ends = list(dict.fromkeys(f"{width:,} x {height:,}" for width, height in (sizes[0], sizes[-1])))
    line = f"{formats}, of {' to '.join(ends)} pixels, fitted into {shape.size} x {shape.size}"
    if n_small := sum(max(size) < shape.size for size in sizes):
        line += f"; {n_small:,} of them are smaller and were enlarged"
    if n_more := sum(picture.has_more for picture in pictures):
        line += f"; {n_more:,} have several frames, of which the first is used"
    return line


def _decode_all(
    root: Path, shape: Shape, accepted: tuple[str, ...], files: Sequence[ListedFile]
) -> list[Picture | str]:
    """The same of some files, maybe in a process of its own."""
    if "HEIF" in accepted:
        _pictures.formats()  # which registers what opens it
    with _without_pillows_limit():
        return [_decode(root, shape, accepted, file) for file in files]


def _decode(root: Path, shape: Shape, accepted: tuple[str, ...], file: ListedFile) -> Picture | str:
    """A picture, or why it cannot be used."""
    if PurePosixPath(file.path).suffix.lower() in _pictures.HEIC and "HEIF" not in accepted:
        return "needs the package pillow-heif"
    try:
        return _copies.picture(root, file, shape, accepted)
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
    cfg: Config, paths: Sequence[str], root: Path, raw_dir: Path
) -> tuple[dict[str, str] | None, list[str]]:
    """{path: label} of the pictures that have one, None without labels; and what is odd of them."""
    if cfg.labels is None:
        return None, []
    if cfg.labels == FOLDERS:
        parents = {path: composed(PurePosixPath(path).parent.name) for path in paths}
        return {path: parent for path, parent in parents.items() if parent}, []
    file = _label_file(cfg, root)
    text, encoding = decoding.decode((raw_dir / LABELS).read_bytes())
    # train.csv may tell of train/0.png as train/0.png or as 0.png
    near = PurePosixPath(os.path.relpath(file.parent, root).replace(os.sep, "/"))
    by_name: dict[str, list[str]] = {}
    for path in paths:
        by_name.setdefault(composed(path), []).append(path)
    labels: dict[str, str] = {}
    missing: list[str] = []
    for name, label in (rows := _rows(text, file)):
        places = (PurePosixPath(name), near / name, near / file.stem / name)
        named = [by_name[key] for place in places if (key := composed(str(place))) in by_name]
        labels |= {path: label for some in named[::-1] for path in some}
        missing += [] if named else [name]
    if not labels:
        example = f", for example {rows[0][0]!r}" if rows else ""
        raise UserError(f"params.yaml: dataset.labels: {file} names no picture in {root}{example}")
    remark = decoding.remark(encoding)
    odd = [f"{file}: {remark}"] if remark else []
    without = [path for path in paths if path not in labels]
    if min(len(without), len(missing)) > FEW:
        odd.append(
            f"{file} names {len(missing):,} pictures that are not there, for example "
            f"{missing[0]!r}, and {len(without):,} have no label, for example {without[0]!r}"
        )
    return labels, odd


def _rows(text: str, file: Path) -> list[tuple[str, str]]:
    """Names, with / between their parts, and labels of a CSV, where both are given."""
    csv.field_size_limit(1 << 17)  # of the whole process, which may have set another
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        columns, *lines = [[composed(cell.strip()) for cell in line] for line in reader] or [[]]
    except csv.Error as error:
        raise UserError(
            f"params.yaml: dataset.labels: {file} is no table that can be read: {error}"
        ) from None
    if not {"filename", "label"} <= set(columns):
        raise UserError(
            f"params.yaml: dataset.labels: {file} should have the columns filename and label, "
            f"found {', '.join(columns)[:200] or 'none'}"
        )
    cells = [dict(zip(columns, line, strict=False)) for line in lines]
    pairs = [(row.get("filename", ""), row.get("label", "")) for row in cells]
    return [(name.replace("\\", "/"), label) for name, label in pairs if name and label]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Pillow warns of odd metadata, which a user cannot help."""
    with warnings.catch_warnings(), _without_pillows_limit():
        warnings.simplefilter("ignore")
        yield


class _without_pillows_limit:
    """Pillow refuses by the size that a file claims; `decode` asks what has to be decoded."""

    lock = threading.Lock()
    n_inside = 0  # of all threads: Pillow has one limit
    limit: int | None = None

    def __enter__(self) -> None:
        from PIL import Image

        own = _without_pillows_limit
        with own.lock:
            if own.n_inside == 0:
                own.limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            own.n_inside += 1

    def __exit__(self, *_: object) -> None:
        from PIL import Image

        own = _without_pillows_limit
        with own.lock:
            own.n_inside -= 1
            if own.n_inside == 0:
                Image.MAX_IMAGE_PIXELS = own.limit
