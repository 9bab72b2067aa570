"""Tables of what is said of new files: a line for each sample, and for each file left out."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from narrows.config.messages import plural
from narrows.data.datasets._base import counted
from narrows.data.new_files import NewSamples
from narrows.data.prepare import N_LINES, shortened
from narrows.store.files import atomic_write

if TYPE_CHECKING:
    import pandas as pd

TABLES = (".csv", ".parquet")


def table(new: NewSamples, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Path and name of every sample, the columns, and what was skipped.

    Args:
        columns: N values each.
    """
    import pandas as pd

    paths = [printable(path) for path in new.paths]
    rows = pd.DataFrame({"path": paths, "name": new.names, **columns})
    rows["skipped"] = ""
    left_out = pd.DataFrame(
        {
            "path": [printable(path) for path, _ in new.skipped],
            "name": [file.path for _, file in new.skipped],
            "skipped": [file.reason for _, file in new.skipped],
        }
    )
    return pd.concat([rows, left_out], ignore_index=True) if len(left_out) else rows


def show(parts: Iterable[pd.DataFrame]) -> None:
    """Prints a table, which comes in parts of some rows, as CSV."""
    for text in _csv(parts):
        sys.stdout.write(text)
    sys.stdout.flush()


def save(parts: Iterable[pd.DataFrame], file: Path) -> None:
    """Writes a table, which comes in parts of some rows, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as partial:
        if file.suffix.lower() == ".csv":
            with partial.open("w", encoding="utf-8", newline="") as stream:
                stream.writelines(_csv(parts))
        else:
            _write_parquet(parts, partial)


def _csv(parts: Iterable[pd.DataFrame]) -> Iterator[str]:
    options: Any = {"index": False, "float_format": "%.6g", "lineterminator": "\n"}
    for i, rows in enumerate(parts):
        yield rows.to_csv(header=i == 0, **options)


def _write_parquet(parts: Iterable[pd.DataFrame], file: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    with contextlib.ExitStack() as stack:
        writer = None
        for rows in parts:
            schema = None if writer is None else writer.schema
            table = pa.Table.from_pandas(rows, schema=schema, preserve_index=False)
            if writer is None:
                writer = stack.enter_context(parquet.ParquetWriter(file, table.schema))
            writer.write_table(table)


def report(command: str, new: NewSamples, remarks: list[str], answer: str, to: Path | None) -> None:
    """Says on stderr what was changed so that it fits, how many samples there are, what was
    skipped, and where the answer is."""
    for remark in [*shortened(new.warnings, n=N_LINES - 2), *remarks]:
        print(f"{command}: {remark}", file=sys.stderr)
    message = f"{command}: {plural(len(new.x), 'sample')} {answer}"
    if new.skipped:
        skipped = counted([file for _, file in new.skipped])
        message += f"; skipped {skipped}, see the column `skipped`"
    print(message + (f"; {to}" if to else ""), file=sys.stderr, flush=True)


def printable(path: Path) -> str:
    """A path as text, bytes that are no UTF-8 as \\xff and so on."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
