"""Files that are whole or not there, and the one writer of CSV files."""

from __future__ import annotations

import contextlib
import csv
import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from narrows.errors import lacks_space


@contextlib.contextmanager
def atomic_write(file: Path) -> Iterator[Path]:
    """A path to write to, which becomes `file` if the block ends well, replacing an older one.

    The path lies in the same folder (a rename is atomic within one file system only) and has the
    same suffix, because writers such as `np.savez` append theirs where it is missing. If the block
    raises, what it wrote is deleted; if the process is killed, `file` is as it was.

    It is there from the start: where the folder takes no files the system says so, in an error that
    `errors.sentence` knows, and no library in words of its own after an hour.
    """
    partial = file.with_name(f".part-{file.name}")
    try:
        partial.touch()
        yield partial
        partial.replace(file)
    except (OSError, RuntimeError) as error:
        if lacks_space(error):  # most writers do not say of which file
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file)) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def write_csv(
    file: Path,
    rows: Sequence[Mapping[str, Any] | Sequence[Any]],
    columns: Sequence[str] = (),
    *,
    digits: int | None = 6,
    quoted: bool = False,
) -> None:
    """Writes rows as UTF-8 with a header; None and what a mapping lacks become empty cells.

    Args:
        rows: mappings by column, or sequences in the order of the columns.
        columns: the header; where it is not given, the keys of the first row, if it is a mapping.
        digits: significant digits of floats; None writes all that they have.
        quoted: puts every word below the header in quotes, for cells that may hold anything.
    """
    if not columns and rows and isinstance(rows[0], Mapping):
        columns = list(rows[0])
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if quoted else csv.QUOTE_MINIMAL
    with atomic_write(file) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        if columns:
            csv.writer(stream, lineterminator="\n").writerow(columns)
        writer = csv.writer(stream, quoting=quoting, lineterminator="\n")
        for row in rows:
            cells = [row.get(c) for c in columns] if isinstance(row, Mapping) else row
            writer.writerow([_cell(value, digits) for value in cells])


def _cell(value: Any, digits: int | None) -> Any:
    return value if digits is None or not isinstance(value, float) else f"{value:.{digits}g}"
