"""Where samples came from: data/<dataset>/samples.csv, `path,date`, one line per row of x.npy.

Where some samples have a place, `latitude,longitude` follow, in degrees. Only a header, or no file
at all, says that samples have no names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Integer

from narrows.data.places import Place, rounded
from narrows.errors import UserError
from narrows.store.files import write_csv
from narrows.store.reading import read_lines

COLUMNS = ["path", "date"]
DEGREES = ["latitude", "longitude"]


@dataclass(frozen=True)
class SampleNames:
    """Names, dates and places of samples, in the order of x.npy."""

    paths: list[str]
    """Path of every sample, relative to the user's folder; what is no UTF-8 is a surrogate."""
    dates: list[str]
    """Date of every sample, ISO 8601, or empty."""
    places: list[Place | None] | None = None
    """Place of every sample, or None; None where no sample has one."""

    def part(self, rows: Integer[np.ndarray, " n"]) -> SampleNames:
        """Those of some samples."""
        return SampleNames(
            [self.paths[row] for row in rows],
            [self.dates[row] for row in rows],
            self.places and [self.places[row] for row in rows],
        )


def write(
    file: Path,
    paths: Sequence[str],
    dates: Sequence[str] | None,
    places: Sequence[Place | None] | None,
) -> None:
    """Writes the file; without columns of places where no sample has one."""
    lines = zip(paths, dates or [""] * len(paths), strict=True)
    if places is None or not any(places):
        write_csv(file, list(lines), COLUMNS, quoted=True)
        return
    degrees = [place or ("", "") for place in places]
    with_degrees = [(*line, *own) for line, own in zip(lines, degrees, strict=True)]
    write_csv(file, with_degrees, [*COLUMNS, *DEGREES], quoted=True)


def read(file: Path, n_x: int) -> SampleNames | None:
    """Names of `n_x` samples, or None where they have none.

    Raises:
        UserError: other columns, or another number of lines than samples, or it is damaged.
    """
    if not file.exists():
        return None
    header, *lines = read_lines(file) or [[]]
    if header not in (COLUMNS, [*COLUMNS, *DEGREES]):
        raise UserError(f"{file}: the columns should be {','.join(COLUMNS)}, found {header}")
    if not lines:
        return None
    if len(lines) != n_x:
        raise UserError(f"{file} names {len(lines)} samples and x.npy has {n_x}; run `dvc repro`")
    if short := [i for i, line in enumerate(lines, 2) if len(line) != len(header)]:
        raise UserError(f"{file}: record {short[0]} should have a path and a date")
    has_places = header != COLUMNS
    return SampleNames(
        [line[0] for line in lines],
        [line[1] for line in lines],
        [_place(file, i, line[2:]) for i, line in enumerate(lines, 2)] if has_places else None,
    )


def _place(file: Path, record: int, degrees: Sequence[str]) -> Place | None:
    if not any(degrees):
        return None
    try:
        return rounded(*map(float, degrees))
    except ValueError:
        raise UserError(
            f"{file}: record {record} should have a latitude and a longitude, found {degrees}"
        ) from None
