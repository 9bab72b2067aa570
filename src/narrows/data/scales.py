"""Pictures whose values are no bytes: one scale for all of a folder, learned from it.

A camera writes 12 bits into 16, a map is floats, and no such file says what is black and what is
white. So that is the least and the largest value of all of them, as they are when fitted into their
square, where a single hot pixel counts little.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

Ranges = Mapping[str, Sequence[float]]
"""What becomes 0 and 255, by kind of values; where white is 0, the first is the larger."""
WHITE_IS_0 = ", white is 0"
"""Ends the kind of values of which 0 is the lightest."""
NARROW = 8
"""Part of the range below which a picture uses little of it."""
DARK = 16
"""Grey values of 256 below which pictures are all but one grey."""
BEYOND = 0.01
"""Share of a new picture's values beyond the range that is worth a warning."""


class Extremes(NamedTuple):
    """A picture's kind of values, "" for bytes, and the least and the largest of them."""

    kind: str
    low: float
    high: float


class Scaled(NamedTuple):
    """Pictures on one scale."""

    x: np.ndarray
    """uint8 (N, C, H, W), memory-mapped."""
    rows: list[int]
    """Which of the pictures these are, in their order."""
    faults: dict[int, str]
    """Why the others cannot be used."""
    ranges: Ranges
    """The scale, also of new pictures."""
    cut: list[int]
    """Pictures of which more than `BEYOND` lies beyond the ranges that were given."""


class Pictures:
    """Pictures on disk, as more may come than fit in memory: bytes as they are, and values that
    wait for their scale.

    Args:
        folder: where two files without a name lie until this is closed.
        shape: (C, H, W) of every picture.
        background: grey value of pixels without a value.
    """

    def __init__(self, folder: Path, shape: tuple[int, int, int], background: int):
        self.shape, self.background = shape, background
        self.extremes: list[Extremes] = []
        """Of every picture, in the order in which they came."""
        self._bytes = tempfile.TemporaryFile(dir=folder)
        self._values = tempfile.TemporaryFile(dir=folder)

    def __enter__(self) -> Pictures:
        return self

    def __exit__(self, *_: object) -> None:
        self._bytes.close()  # a memory map of it stays
        self._values.close()

    def add(self, pixels: np.ndarray, kind: str = "") -> None:
        """Takes uint8 (C, H, W); or float32 values of a kind, nan where there is none."""
        inside = pixels[~np.isnan(pixels)] if kind else pixels[pixels != self.background]
        ends = (inside.min(), inside.max()) if inside.size else (self.background, self.background)
        self.extremes.append(Extremes(kind, *map(float, ends)))
        if kind:
            self._values.write(pixels.astype(np.float32).tobytes())
            pixels = np.empty(self.shape, np.uint8)  # its place
        self._bytes.write(pixels.tobytes())

    def scaled(self, ranges: Ranges | None = None) -> Scaled:
        """All pictures as bytes, by ranges that were learned before, or else by their own."""
        is_new, ranges = ranges is not None, learned(self.extremes) if ranges is None else ranges
        rows: list[int] = []
        faults: dict[int, str] = {}
        cut: list[int] = []
        size = int(np.prod(self.shape))
        self._values.seek(0)
        for row, own in enumerate(self.extremes):
            if own.kind:
                values = np.frombuffer(self._values.read(4 * size), np.float32)
                if own.kind not in ranges:
                    faults[row] = f"no such values were learned from: {own.kind}"
                    continue
                pixels, beyond = grey_values(values, ranges[own.kind], self.background)
                if own.high > own.low and pixels.min() == pixels.max():
                    faults[row] = f"its contrast is lost: {_between(own, ranges[own.kind])}"
                    continue
                if is_new and beyond > BEYOND:
                    cut.append(row)
            else:
                self._bytes.seek(row * size)
                pixels = np.frombuffer(self._bytes.read(size), np.uint8)
            self._bytes.seek(len(rows) * size)  # what is left out leaves no hole
            self._bytes.write(pixels.tobytes())
            rows.append(row)
        self._bytes.flush()
        shape = (len(rows), *self.shape)
        x = np.memmap(self._bytes, np.uint8, "c", shape=shape) if rows else np.empty(shape, "u1")
        return Scaled(x, rows, faults, ranges, cut)


def learned(extremes: Sequence[Extremes]) -> dict[str, list[float]]:
    """The least and the largest value by kind; bytes need no scale.

    >>> learned([Extremes("16 bits", 10.0, 900.0), Extremes("16 bits", 7.0, 80.0)])
    {'16 bits': [7.0, 900.0]}
    """
    ranges: dict[str, list[float]] = {}
    for kind in sorted({own.kind for own in extremes} - {""}):
        of_kind = [own for own in extremes if own.kind == kind]
        ends = [min(own.low for own in of_kind), max(own.high for own in of_kind)]
        ranges[kind] = ends[::-1] if kind.endswith(WHITE_IS_0) else ends
    return ranges


def grey_values(
    values: np.ndarray, ends: Sequence[float], background: int
) -> tuple[np.ndarray, float]:
    """Values as uint8 from 0 at the first end to 255 at the last, and the share beyond the two.

    >>> pixels, beyond = grey_values(np.array([0.0, 50.0, 200.0, np.nan]), (0.0, 100.0), 7)
    >>> pixels.tolist(), round(beyond, 2)
    ([0, 128, 255, 7], 0.33)
    """
    first, last = ends
    shares = (values - first) / ((last - first) or 1.0)
    beyond = (shares < 0) | (shares > 1)
    grey = np.where(np.isnan(shares), background, shares.clip(0, 1) * 255)
    return grey.round().astype(np.uint8), float(beyond.sum() / max(1, np.isfinite(shares).sum()))


def sentences(extremes: Sequence[Extremes], ranges: Ranges, names: Sequence[str]) -> list[str]:
    """What was taken for black and for white, and where that leaves most pictures without contrast.

    Args:
        names: of the pictures, in the order of `extremes`.
    """
    lines = []
    for kind, ends in ranges.items():
        rows = [row for row, own in enumerate(extremes) if own.kind == kind]
        line = (
            f"{len(rows):,} pictures hold values of {kind}: {_number(ends[0])} becomes black and "
            f"{_number(ends[1])} white, in new pictures, too"
        )
        spans = {row: extremes[row].high - extremes[row].low for row in rows}
        share = statistics.median(spans.values()) / (abs(ends[1] - ends[0]) or 1.0)
        if 0 < share < 1 / NARROW:
            widest = max(rows, key=lambda row: spans[row])
            line += (
                f". Half of them use less than {share:.1%} of that; {names[widest]} has values "
                f"from {_between(extremes[widest])}: `exclude` leaves it out"
            )
        lines.append(line)
    plain = [own for own in extremes if not own.kind]
    low = min((own.low for own in plain), default=0)
    high = max((own.high for own in plain), default=255)
    if high - low < DARK:
        lines.append(f"all pictures lie between the grey values {low:.0f} and {high:.0f} of 255")
    return lines


def beyond(rows: Sequence[int], names: Sequence[str]) -> list[str]:
    """That new pictures had to be cut, with an example."""
    if not rows:
        return []
    return [
        f"{len(rows):,} of {len(names):,} pictures reach beyond the values that were learned from "
        f"and are cut there, for example {names[rows[0]]}"
    ]


def _between(own: Extremes, ends: Sequence[float] = ()) -> str:
    """A picture's extremes, and those of all."""
    text = f"{_number(own.low)} to {_number(own.high)}"
    return f"{text} of {_number(min(ends))} to {_number(max(ends))}" if ends else text


def _number(value: float) -> str:
    return f"{value:,.6g}"
