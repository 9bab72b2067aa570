"""Where samples came from: data/<dataset>/samples.csv, `path,date`, one line per row of x.npy.

Only a header, or no file at all, says that samples have no names.
"""

from dataclasses import dataclass
from pathlib import Path

from narrows.errors import UserError
from narrows.store.reading import read_lines

COLUMNS = ["path", "date"]


@dataclass(frozen=True)
class SampleNames:
    """Names and dates of samples, in the order of x.npy."""

    paths: list[str]
    """Path of every sample, relative to the user's folder; what is no UTF-8 is a surrogate."""
    dates: list[str]
    """Date of every sample, ISO 8601, or empty."""


def read(file: Path, n_x: int) -> SampleNames | None:
    """Names of `n_x` samples, or None where they have none.

    Raises:
        UserError: other columns, or another number of lines than samples, or it is damaged.
    """
    if not file.exists():
        return None
    header, *lines = read_lines(file) or [[]]
    if header != COLUMNS:
        raise UserError(f"{file}: the columns should be {','.join(COLUMNS)}, found {header}")
    if not lines:
        return None
    if len(lines) != n_x:
        raise UserError(f"{file} names {len(lines)} samples and x.npy has {n_x}; run `dvc repro`")
    if short := [i for i, line in enumerate(lines, 2) if len(line) != len(COLUMNS)]:
        raise UserError(f"{file}: record {short[0]} should have a path and a date")
    return SampleNames([line[0] for line in lines], [line[1] for line in lines])
