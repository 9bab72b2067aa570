"""The first rows of a table, and what they say of it: columns, separator, number of rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from narrows.data import decoding
from narrows.data.glance import is_english
from narrows.data.tables.reading import (
    NEARLY_ALL,
    NO_TABLE,
    PARQUET,
    SEPARATORS,
    has_decimal_commas,
)
from narrows.errors import UserError, unreadable

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

N_BYTES = 1 << 18  # of a CSV that are looked at
N_ROWS = 200
N_WIDTHS = 20  # rows by which a separator is judged
N_COLUMNS = 50  # of words in a Parquet file that are looked at
LONG, N_WORDS, DIFFERENT = 80, 10, 0.9  # letters, words and share of different ones of long texts


class Head(NamedTuple):
    """What the beginning of a table says of it."""

    columns: list[str]
    """Names of the columns."""
    texts: list[str]
    """Those that hold long texts."""
    n_rows: int
    """Number of rows."""
    is_estimate: bool
    """Whether it is one, from the size of the file."""
    separator: str
    """Character between the values of a CSV; empty where there is none."""
    decimal: str
    """Decimal point of a CSV's numbers."""
    skip_rows: int = 0
    """Lines above the header of a CSV, like a title."""
    is_english: bool = False
    """Whether the first of the columns of long texts is in English."""


def read(path: Path) -> Head:
    """The head of a .csv, .tsv, .txt or .parquet.

    Raises:
        UserError: no table that can be read.
    """
    suffix = path.suffix.lower()
    try:
        return _parquet(path) if suffix in PARQUET else _csv(path)
    except UserError:
        raise
    except Exception as error:  # parsers of hostile bytes raise anything
        raise unreadable(path, error, NO_TABLE) from None


def _csv(path: Path) -> Head:
    with path.open("rb") as stream:
        content = stream.read(N_BYTES)
    size = path.stat().st_size
    is_cut = size > len(content)
    end = content.rfind(b"\n") + 1 if is_cut else 0
    text, _ = decoding.decode(content[:end] if end else content)
    if "\0" in text:
        raise UserError(f"{path}: {NO_TABLE}: it has zero bytes")
    separator = "\t" if path.suffix.lower() == ".tsv" else _separator(text)
    skip_rows, rows = _rows(text, separator)
    if is_cut and len(rows) > 1:
        rows.pop()  # which may be half of one
    header, *body = rows or [[]]
    n_rows = len(body) if not is_cut else round(size / len(content) * len(rows)) - 1
    cells = [cell for row in body[:N_ROWS] for cell in row]
    has_comma = separator != "," and has_decimal_commas(cells)
    columns = {
        name: [row[i] for row in body[:N_ROWS] if i < len(row)] for i, name in enumerate(header)
    }
    texts = [name for name, values in columns.items() if _is_text(values)]
    return Head(
        columns=header,
        texts=texts,
        n_rows=max(n_rows, 0),
        is_estimate=is_cut,
        separator=separator,
        decimal="," if has_comma else ".",
        skip_rows=skip_rows,
        is_english=is_english(columns[texts[0]] if texts else ()),
    )


def _parquet(path: Path) -> Head:
    from pyarrow import parquet

    with path.open("rb") as stream:
        return _of_parquet(parquet.ParquetFile(stream))


def _of_parquet(file: ParquetFile) -> Head:
    from pyarrow import types

    schema = file.schema_arrow
    words = [
        field.name
        for field in schema
        if types.is_string(field.type) or types.is_large_string(field.type)
    ][:N_COLUMNS]
    columns: dict[str, list[str]] = {}
    if words and file.metadata.num_rows:
        block = next(file.iter_batches(batch_size=N_ROWS, columns=words))
        columns = {name: [value or "" for value in block[name].to_pylist()] for name in words}
    texts = [name for name, values in columns.items() if _is_text(values)]
    return Head(
        columns=list(schema.names),
        texts=texts,
        n_rows=file.metadata.num_rows,
        is_estimate=False,
        separator="",
        decimal=".",
        is_english=is_english(columns[texts[0]] if texts else ()),
    )


def _separator(text: str) -> str:
    """The character that cuts the first rows into as many columns each as the header: the one with
    the fewest other rows, then with the fewest lines above the header, then with the most columns.

    >>> _separator("a;b;c\\n1,5;2,5;3,5\\n"), _separator("a,b\\n1,2\\n")
    (';', ',')
    """
    best: tuple[int, int, int, str] | None = None
    for separator in SEPARATORS:
        n_above, rows = _rows(text, separator)
        widths = [len(row) for row in rows[:N_WIDTHS]]
        n_others = len(widths) - widths.count(widths[0]) if widths else 0
        if widths and widths[0] > 1 and n_others <= (1 - NEARLY_ALL) * len(widths):
            choice = (n_others, n_above, -widths[0], separator)
            best = choice if best is None else min(best, choice)
    return best[-1] if best else ","


def _rows(text: str, separator: str) -> tuple[int, list[list[str]]]:
    """How many lines stand above the header, which is as wide as most of the first rows; and the
    rows from there on.

    >>> _rows("Sales of 2024\\n\\na,b\\n1,2\\n3,4\\n", ",")
    (2, [['a', 'b'], ['1', '2'], ['3', '4']])
    """
    csv.field_size_limit(1 << 30)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows: list[list[str]] = []
    above: list[int] = []
    line = 0
    for row in reader:
        if row:
            rows.append(row)
            above.append(line)
        line = reader.line_num
    widths = [len(row) for row in rows[:N_WIDTHS]]
    first = widths.index(max(set(widths), key=widths.count)) if widths else 0
    # a separator at the end of each row but the header's makes no column
    n_used = max((i for row in rows[first:N_WIDTHS] for i, v in enumerate(row, 1) if v), default=0)
    if first and max(widths[:first]) < min(widths[first], n_used):
        return above[first], rows[first:]
    return 0, rows


def _is_text(values: Sequence[str]) -> bool:
    """Whether values are long, of many words, and nearly all different."""
    present = [value for value in values if value.strip()]
    if not present:
        return False
    n_letters = sum(map(len, present)) / len(present)
    n_words = sum(len(value.split()) for value in present) / len(present)
    is_varied = len(set(present)) >= DIFFERENT * len(present)
    return n_letters >= LONG and n_words >= N_WORDS and is_varied
