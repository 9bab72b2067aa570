"""Tables of what is said of new files: a line for each sample, and for each file left out."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from narrows.config.messages import plural
from narrows.data.datasets._base import Skipped, counted_kinds
from narrows.data.new_files import NewSamples
from narrows.data.prepare import N_LINES, shortened
from narrows.explore.answers import printable
from narrows.store.files import atomic_write

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TABLES = (".csv", ".parquet")


@dataclass(frozen=True)
class Report:
    """What is said on stderr of a table."""

    n_samples: int
    warnings: list[str]
    """Sentences on what was changed so that it fits."""
    skipped: Mapping[str, int]
    """How many files and rows were left out, by kind of reason."""
    answer: str
    """By what row, and what is to be known of all samples."""


def tables(new: NewSamples, columns: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Path and name of every sample and the columns; then what was skipped.

    Args:
        columns: N values each.
    """
    import pandas as pd

    paths = [printable(path) for path in new.paths]
    yield pd.DataFrame({"path": paths, "name": new.names, **columns, "skipped": ""})
    if new.skipped:
        yield left_out(new.skipped)


def left_out(skipped: Sequence[tuple[Path, Skipped]]) -> pd.DataFrame:
    """A line for each file or row that was skipped."""
    import pandas as pd

    return pd.DataFrame(
        {
            "path": [printable(path) for path, _ in skipped],
            "name": [file.path for _, file in skipped],
            "skipped": [file.reason for _, file in skipped],
        }
    )


def show(parts: Iterable[pd.DataFrame]) -> None:
    """Prints a table as CSV. It comes in parts of some rows; what later ones lack is empty."""
    for text in _csv(parts):
        sys.stdout.write(text)
    sys.stdout.flush()


def save(parts: Iterable[pd.DataFrame], file: Path) -> None:
    """Writes the same, or Parquet, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as partial:
        if file.suffix.lower() == ".csv":
            with partial.open("w", encoding="utf-8", newline="") as stream:
                stream.writelines(_csv(parts))
        else:
            _write_parquet(parts, partial)


def _csv(parts: Iterable[pd.DataFrame]) -> Iterator[str]:
    options: Any = {"index": False, "float_format": "%.6g", "lineterminator": "\n"}
    columns = None
    for rows in parts:
        header, columns = columns is None, rows.columns if columns is None else columns
        yield rows.reindex(columns=columns).to_csv(header=header, **options)


def _write_parquet(parts: Iterable[pd.DataFrame], file: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    with contextlib.ExitStack() as stack:
        writer = None
        for rows in parts:
            if writer is None:
                table = pa.Table.from_pandas(rows, preserve_index=False)
                writer = stack.enter_context(parquet.ParquetWriter(file, table.schema))
            else:
                own = [field for field in writer.schema if field.name in rows.columns]
                table = pa.Table.from_pandas(rows, pa.schema(own), preserve_index=False)
                table = _filled(table, writer.schema)
            writer.write_table(table)


def _filled(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with all columns of the schema; those that it lacks are empty."""
    import pyarrow as pa

    columns = [
        table[field.name] if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def report(command: str, own: Report, remarks: list[str], to: Path | None) -> None:
    """Says on stderr what was changed so that it fits, how many samples there are, what was
    skipped, and where the answer is."""
    for remark in [*shortened(own.warnings, n=N_LINES - 2), *remarks]:
        print(f"{command}: {remark}", file=sys.stderr)
    message = f"{command}: {plural(own.n_samples, 'sample')} {own.answer}"
    if own.skipped:
        message += f"; skipped {counted_kinds(own.skipped)}, see the column `skipped`"
    print(message + (f"; {to}" if to else ""), file=sys.stderr, flush=True)
