"""An array of your own, .npy or .npz: pictures or rows, which may be larger than memory.

Bytes are values from 0 to 255. Other numbers that are not from 0 to 1 already are scaled by their
least and their largest: pictures all together, rows each column by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from narrows.config.plugins import config
from narrows.data import blocks
from narrows.data.datasets import _arrays, _files
from narrows.data.datasets._base import Dataset, Part, Skipped, numbered
from narrows.data.datasets._stacked import stacked
from narrows.data.unit import WHITE
from narrows.errors import UserError

SUFFIXES = (_arrays.NPY, _arrays.NPZ)
LABELS = "labels.npy"  # the copy of the user's file
ROWS, FIRST, LAST = "rows", "NCHW", "NHWC"
COLOURS = (1, 3)  # numbers of channels that a picture may have
N_VALUES = 2**21  # of the draw by which a range is judged
TAILS = (0.001, 0.999)
FARTHEST = 1e30  # ranges; the square is a float of 64 bits, too
SQUEEZED = 0.05  # part of the range in which nearly all values lie, that is worth a warning


@config
class Config:
    """An array, and what its axes are where that cannot be seen."""

    path: str
    """The file, .npy or .npz; ~ is your home."""
    key: str | None = None
    """Name of the array in an .npz that has several."""
    layout: Literal["auto", "NCHW", "NHWC", "rows"] = "auto"
    """What the axes are: pictures with their channels first or last, or rows of numbers, which
    makes every sample flat. Of itself (N, D) is rows, (N, H, W) is grey pictures, and of (N, ?, ?,
    ?) the axis of 1 or 3 is the channels."""
    labels: str | None = None
    """For scoring only: another .npy, or the name of an array in the .npz, with a number or a word
    for each sample. Samples without a label are left out."""


class Layout(NamedTuple):
    """How the samples lie in the user's array."""

    name: str
    """NCHW, NHWC or rows."""
    sample: tuple[int, ...]
    """Shape of a sample there."""

    def ordered(self, block: np.ndarray) -> np.ndarray:
        """Samples (n, C, H, W) or (n, D) of a block of the user's array."""
        if self.name == ROWS:
            return block.reshape(len(block), -1)
        if block.ndim == 3:
            return block[:, None]
        return block if self.name == FIRST else block.transpose(0, 3, 1, 2)


def fetch(cfg: Config, raw_dir: Path) -> None:
    """Lists the file; it stays where it is."""
    file = _files.located(cfg.path)
    if file.is_dir() or file.suffix.lower() not in SUFFIXES:
        raise UserError(f"params.yaml: dataset.path: {file} is no .npy and no .npz")
    copies = {}
    if labels := _label_file(cfg, file):
        (header,) = _arrays.headers(labels).values()
        if np.prod(header.shape) != max(header.shape, default=0):  # none may be huge by mistake
            raise UserError(
                f"params.yaml: dataset.labels: {labels} should have one label for each sample, "
                f"found an array {header.shape}"
            )
        copies[LABELS] = labels
    _files.fetch(_files.find(file, SUFFIXES), raw_dir, copies)


def load(cfg: Config, raw_dir: Path) -> Dataset:
    """Pictures uint8 (N, C, H, W) or rows float32 (N, D), in the order of the array."""
    file, (listed,) = _files.located(cfg.path), _files.read(raw_dir)
    if listed.problem:
        raise UserError(f"params.yaml: dataset.path: {file} {listed.problem}")
    inside = cfg.labels if cfg.labels and not _label_file(cfg, file) else None
    with _files.open_listed(file.parent, listed):
        key = _arrays.chosen(file, cfg.key, inside)
        array = _numbers(_arrays.opened(file, key), file)
        layout = layout_of(array.shape, cfg.layout, file)
        words = _labels(cfg, file, raw_dir, len(array))
    low, high, usable = _ranges(array, layout)
    skipped = [_no_number(row) for row in np.flatnonzero(~usable).tolist()]
    if words is not None:
        skipped += [Skipped(f"row {i + 1}", "no label") for i, word in enumerate(words) if not word]
        usable &= np.array([bool(word) for word in words])
    x = stacked(_scaled(array, layout, low, high, usable))
    if x is None:
        raise _files.none_left(file, "sample", skipped)
    used = np.flatnonzero(usable).tolist()
    labels, label_names = numbered([words[row] for row in used]) if words else (None, None)
    return Dataset(
        x,
        labels,
        is_test=None,
        names=[f"row {row + 1}" for row in used],
        label_names=label_names,
        skipped=skipped,
        schema={
            "dataset": "array",
            "suffixes": SUFFIXES,
            "key": key,
            "layout": layout.name,
            "sample": layout.sample,
        },
        arrays={"low": low, "high": high},
        warnings=[_description(array, layout, low, high), *_odd_ranges(array, layout, low, high)],
    )


def parts(schema: Mapping[str, Any], path: Path, n: int) -> Iterator[Part]:
    """New samples, n at a time, as the file has them; raises as `encode` does."""
    return _arrays.in_parts(_opened(schema, path), n)


def encode(
    schema: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    path: Path,
    part: Part | None = None,
) -> Dataset:
    """New samples, an .npy or .npz like the one that was learned from, or one sample alone; all, or
    those of a part. Warnings say how many have values beyond its range, which are cut.

    Raises:
        UserError: no array of such samples.
    """
    array, first = (part.content, part.first) if part else (_opened(schema, path), 0)
    layout = Layout(schema["layout"], tuple(schema["sample"]))
    low, high = arrays["low"], arrays["high"]
    usable, beyond = np.full(len(array), True), np.zeros((len(array), 1), np.float32)
    for rows, values in _blocks(array, layout):
        usable[rows] = np.isfinite(values).all(axis=1)
        beyond[rows, 0] = _outside(values, low, high)
    beyond = beyond[usable]
    skipped = [_no_number(first + row) for row in np.flatnonzero(~usable).tolist()]
    x = stacked(_scaled(array, layout, low, high, usable))
    if x is None:
        raise _files.none_left(path, "sample", skipped)
    n_beyond = int(np.count_nonzero(beyond))
    remark = f"{path}: {n_beyond:,} samples have values beyond those learned from, which are cut"
    return Dataset(
        x,
        None,
        None,
        names=[f"row {first + row + 1}" for row in np.flatnonzero(usable).tolist()],
        skipped=skipped,
        schema=schema,
        beyond=beyond,
        warnings=[remark] if n_beyond else [],
    )


def _opened(schema: Mapping[str, Any], path: Path) -> np.ndarray:
    """The user's array (N, ...) of new samples."""
    if path.is_dir() or path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path} is no .npy and no .npz")
    is_npz = path.suffix.lower() == _arrays.NPZ
    key = _arrays.chosen(path, (schema["key"] or None) if is_npz else None)
    array = _numbers(_arrays.opened(path, key), path)
    sample = tuple(schema["sample"])
    array = array[None] if array.shape == sample else array
    if array.shape[1:] != sample:
        raise UserError(f"{path}: samples are of shape {sample}, found {array.shape}")
    return array


def _label_file(cfg: Config, file: Path) -> Path | None:
    """The file of labels, if it is one: beside the array unless it says where."""
    if cfg.labels is None or not cfg.labels.lower().endswith(_arrays.NPY):
        return None
    return _files.located(str(file.parent / Path(cfg.labels).expanduser()), "dataset.labels")


def _labels(cfg: Config, file: Path, raw_dir: Path, n_samples: int) -> list[str] | None:
    """A word for every sample, empty where it has no label; None without labels."""
    if cfg.labels is None:
        return None
    if _label_file(cfg, file):
        values = _arrays.opened(raw_dir / LABELS)
    elif file.suffix.lower() == _arrays.NPZ and cfg.labels in (names := _arrays.headers(file)):
        values = _arrays.opened(file, cfg.labels)
    else:
        there = f"; {file} has {', '.join(names)}" if file.suffix.lower() == _arrays.NPZ else ""
        raise UserError(
            f"params.yaml: dataset.labels: accepted are null, an .npy and the name of an array in "
            f"the .npz, found {cfg.labels!r}{there}"
        )
    values = np.asarray(values)
    if values.size != n_samples or values.dtype.kind not in "biufUS":
        raise UserError(
            f"params.yaml: dataset.labels: {cfg.labels} should have a number or a word for each of "
            f"{n_samples:,} samples, found {values.dtype} {values.shape}"
        )
    values = values.reshape(-1)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind == "f":
        return [f"{value:.15g}" if np.isfinite(value) else "" for value in values.tolist()]
    return [str(value) for value in values.tolist()]


def _numbers(array: np.ndarray, file: Path) -> np.ndarray:
    if array.dtype.kind not in _arrays.NUMBERS:
        raise UserError(f"{file}: samples are numbers, found {array.dtype}")
    return array


def layout_of(shape: tuple[int, ...], name: str, file: Path) -> Layout:
    """What the axes of an array are, by the user's word (`Config.layout`) or by its shape.

    Raises:
        UserError: they cannot be that, or more than one thing.
    """
    sample, is_empty = shape[1:], 0 in shape[1:]
    fits = [FIRST, LAST] if len(shape) == 3 else []
    if len(shape) == 4:
        fits = [key for key, n in ((FIRST, sample[0]), (LAST, sample[2])) if n in COLOURS]
    if name == "auto" and len(shape) == 2:
        name = ROWS
    elif name == "auto" and (len(fits) == 1 or len(shape) == 3):
        name = fits[0]
    if not is_empty and (name in fits or (name == ROWS and len(shape) > 1)):
        return Layout(name, sample)
    raise UserError(
        f"params.yaml: dataset.layout: {name} cannot be for {file}, whose shape is {shape}; "
        "accepted are rows (N, D), grey pictures (N, H, W), and pictures of 1 or 3 channels, "
        "NCHW or NHWC; rows makes samples of any other shape flat"
    )


def _blocks(array: np.ndarray, layout: Layout) -> Iterator[tuple[slice, np.ndarray]]:
    """Which rows, and their values float64 (n, D) in the order of x, some at a time."""
    start = 0
    for block in blocks.blocks(array, blocks.n_together(layout.sample)):
        rows = slice(start, start + len(block))
        # what is too large for a float becomes infinite, and is left out with the infinite
        with np.errstate(over="ignore"):
            yield rows, layout.ordered(block).reshape(len(block), -1).astype(np.float64)
        start += len(block)


def _ranges(array: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What becomes 0 and 1, (D,) of rows and (1,) of pictures; and which samples are all finite."""
    usable = np.full(len(array), True)
    if array.dtype == np.uint8:
        return np.zeros(1), np.full(1, float(WHITE)), usable
    low, high = np.array([np.inf]), np.array([-np.inf])
    for rows, values in _blocks(array, layout):
        usable[rows] = np.isfinite(values).all(axis=1)
        if (finite := values[usable[rows]]).size:
            low, high = (
                np.minimum(low, finite.min(axis=0)),
                np.maximum(high, finite.max(axis=0)),
            )
    if layout.name != ROWS:
        low, high = low.min(keepdims=True), high.max(keepdims=True)
    if low.min() >= 0 and high.max() <= 1:
        return np.zeros(1), np.ones(1), usable
    return low, high, usable


def _unit(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Values (n, D) with low as 0 and high as 1; a column whose values are all alike is 0."""
    # halves, because from the least float to the largest is no float
    extent = np.where(high > low, high / 2 - low / 2, 1)
    with np.errstate(over="ignore"):
        return (values / 2 - low / 2) / extent


def _outside(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """How far samples (n, D) lie outside the range that became 0 to 1, in its units: the root of
    the mean square of their values' parts beyond it; NaN of what is not finite."""
    unit = _unit(values, low, high)
    part = np.clip(unit - np.clip(unit, 0, 1), -FARTHEST, FARTHEST)
    return np.sqrt(np.square(part).mean(axis=1))


def _scaled(
    array: np.ndarray, layout: Layout, low: np.ndarray, high: np.ndarray, usable: np.ndarray
) -> Iterator[np.ndarray]:
    """The usable samples as x has them, some at a time."""
    if array.dtype == np.uint8 and layout.name != ROWS and (low[0], high[0]) == (0, WHITE):
        start = 0
        for block in blocks.blocks(array, blocks.n_together(layout.sample)):
            yield layout.ordered(block)[usable[start : start + len(block)]]
            start += len(block)
        return
    for rows, values in _blocks(array, layout):
        unit = _unit(values[usable[rows]], low, high).clip(0, 1)
        if layout.name == ROWS:
            yield unit.astype(np.float32)
        else:
            shape = layout.ordered(array[:1]).shape[1:]
            yield np.round(unit * WHITE).astype(np.uint8).reshape(-1, *shape)


def _no_number(row: int) -> Skipped:
    return Skipped(f"row {row + 1}", "NaN or infinity")


def _description(array: np.ndarray, layout: Layout, low: np.ndarray, high: np.ndarray) -> str:
    """What the array was taken for, as a sentence."""
    shape = layout.ordered(array[:1]).shape[1:]
    if layout.name == ROWS:
        kind = f"rows of {shape[0]:,} numbers"
        scale = "each column" if len(low) > 1 else f"{low[0]:g} to {high[0]:g}"
        return f"{array.dtype} {array.shape} are {kind}, {scale} scaled to 0 to 1"
    colour = "colour" if shape[0] == 3 else "grey"
    kind = f"{colour} pictures of {shape[1]:,} x {shape[2]:,} pixels"
    if array.dtype == np.uint8:
        return f"{array.dtype} {array.shape} are {kind}"
    scale = f"{low[0]:g} is black, {high[0]:g} is white, in 256 steps"
    return f"{array.dtype} {array.shape} are {kind}: {scale}"


def _odd_ranges(
    array: np.ndarray, layout: Layout, low: np.ndarray, high: np.ndarray
) -> Sequence[str]:
    """A sentence where a few values are so far out that nearly all others fall together."""
    if array.dtype == np.uint8:
        return []
    n = max(1, N_VALUES // int(np.prod(layout.sample)))
    sample = blocks.take(array, blocks.subset(np.arange(len(array)), n, seed=0))
    values = layout.ordered(sample).reshape(len(sample), -1).astype(np.float64)
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        return []
    values = values if len(low) > 1 else values.reshape(-1, 1)
    with np.errstate(over="ignore", invalid="ignore"):  # of what nearly fills all floats: not odd
        ends = np.quantile(values, TAILS, axis=0)
        is_odd = (ends[0] < ends[1]) & (ends[1] - ends[0] < SQUEEZED * (high - low))
    odd = np.flatnonzero(is_odd).tolist()
    if not odd:
        return []
    where = f"column {odd[0] + 1}" if len(low) > 1 else "the array"
    more = f", and so do {len(odd) - 1:,} other columns" if len(odd) > 1 else ""
    return [
        f"{where} reaches from {low[odd[0]]:g} to {high[odd[0]]:g}, by which it is scaled, though "
        f"nearly all of it lies from {ends[0][odd[0]]:g} to {ends[1][odd[0]]:g}{more}"
    ]
