"""A CSV or a Parquet file as named columns; of a CSV all cells are text, nothing is guessed."""

from __future__ import annotations

import contextlib
import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from narrows.config.messages import plural
from narrows.data import decoding
from narrows.data.tables import first_line
from narrows.errors import UserError, unreadable

if TYPE_CHECKING:
    from _csv import Reader

    import pyarrow as pa

NO_TABLE = "not a table that can be read"
CSV, PARQUET = {".csv", ".tsv", ".txt"}, {".parquet", ".pq"}
SEPARATORS = ",;\t|"
BLOCK = 1_000_000  # cells that are Python's strings at once
MAX_COLUMNS = 100_000
NEARLY_ALL = 0.9
N_LINES = 100  # rows at most that a title takes
DECIMALS = tuple(re.compile(rf"\s*-?\d+{re.escape(sign)}\d+\s*") for sign in ",.")


class Layout(NamedTuple):
    """How a user's tables are written; kept in the schema, so that new ones are read alike."""

    separator: str
    """Character between the values of a CSV."""
    decimal: str
    """Decimal point in text."""
    thousands: str | None
    """What groups the digits of numbers in text; None where columns may show it themselves."""
    encoding: str | None
    """Encoding of a CSV; None where its bytes say it."""
    skip_rows: int
    """Lines above the header of a CSV."""
    missing: Sequence[str]
    """Words that are gaps in every column."""


@dataclass(frozen=True)
class Sheet:
    """The cells of a table."""

    columns: dict[str, pa.ChunkedArray]
    """Cells (N,) by the name of the column; text, or what Parquet has."""
    n_rows: int
    """Number of rows."""
    remarks: list[str]
    """Sentences on what was assumed."""


def read(stream: IO[bytes], file: Path, layout: Layout, is_beginning: bool = False) -> Sheet:
    """All cells of a table.

    Args:
        stream: its bytes.
        file: its name, for messages; the suffix says what it is.
        is_beginning: whether the first million cells, or the first rows of Parquet, will do.

    Raises:
        UserError: no table, two columns of one name in Parquet, rows wider than the header, or a
            header that looks like a title or like another separator.
    """
    if file.suffix.lower() in PARQUET:
        return _parquet(stream, file, is_beginning)
    with _sentences(file, layout):
        return _csv(stream, file, layout, is_beginning)


def parts(stream: IO[bytes], file: Path, layout: Layout, n: int) -> Iterator[Sheet]:
    """The same n rows at a time, which are all that is in memory; without rows one sheet of none.
    Remarks are on the rows of a sheet; those on the header stand in the first one."""
    if file.suffix.lower() in PARQUET:
        yield from _parquet_parts(stream, file, n)
        return
    with _sentences(file, layout):
        yield from _csv_parts(stream, file, layout, n)


@contextlib.contextmanager
def _sentences(file: Path, layout: Layout) -> Iterator[None]:
    """Says what Python's reader of CSV or its decoders found."""
    try:
        yield
    except csv.Error as error:
        hint = "; a quote is not closed" if "end of data" in str(error) else ""
        raise UserError(f"{file}: {NO_TABLE}: {error}{hint}") from None
    except UnicodeError as error:
        raise UserError(f"{file} is not written in {layout.encoding}: {error}") from None


def _parquet(stream: IO[bytes], file: Path, is_beginning: bool) -> Sheet:
    import pyarrow as pa
    from pyarrow import parquet

    with _parquet_errors(file):
        source = parquet.ParquetFile(stream)
        _check_size(source.metadata.num_rows, source.metadata.num_columns, file)
        if is_beginning:
            n_rows = max(1, BLOCK // max(1, source.metadata.num_columns))
            batches = itertools.islice(source.iter_batches(n_rows), 1)
            table = pa.Table.from_batches(batches, source.schema_arrow)
        else:
            table = source.read()
        return _sheet(table, file)


def _parquet_parts(stream: IO[bytes], file: Path, n: int) -> Iterator[Sheet]:
    import pyarrow as pa
    from pyarrow import parquet

    with _parquet_errors(file):
        source = parquet.ParquetFile(stream, pre_buffer=False)  # it keeps all that it has read
        _check_size(min(n, source.metadata.num_rows), source.metadata.num_columns, file)
        empty = _sheet(source.schema_arrow.empty_table(), file)
        batches = source.iter_batches(n)
    n_sheets = 0
    while True:
        with _parquet_errors(file):
            if (batch := next(batches, None)) is None:
                break
            sheet = _sheet(pa.Table.from_batches([batch], source.schema_arrow), file)
        yield sheet
        n_sheets += 1
    if not n_sheets:
        yield empty


@contextlib.contextmanager
def _parquet_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # parsers of hostile bytes raise anything
        raise unreadable(file, error, NO_TABLE) from None


def _sheet(table: pa.Table, file: Path) -> Sheet:
    table.validate(full=True)  # offsets that lead out of the file's memory
    names = [str(name) for name in table.column_names]
    if twice := [name for name, n in Counter(names).items() if n > 1]:
        raise UserError(f"{file}: there are two columns {twice[0]!r}")
    return Sheet(dict(zip(names, table.columns, strict=True)), table.num_rows, [])


def _check_size(n_rows: int, n_columns: int, file: Path) -> None:
    """Refuses what memory does not hold: a few bytes of Parquet may say a billion rows."""
    import psutil

    needed, free = 8 * n_rows * n_columns, psutil.virtual_memory().available
    if needed > free:
        raise UserError(
            f"{file}: {n_rows:,} rows of {n_columns:,} columns need {needed / 2**30:,.1f} GiB of "
            f"memory, {free / 2**30:,.1f} GiB are free"
        )
    if n_columns > MAX_COLUMNS:
        raise UserError(f"{file} has {n_columns:,} columns; {MAX_COLUMNS:,} at most are taken")


def _csv(stream: IO[bytes], file: Path, layout: Layout, is_beginning: bool) -> Sheet:
    text, encoding = decoding.open_text(stream, layout.encoding, is_beginning)
    with text:
        rows = _Rows(text, file, layout)
        sheet = rows.sheet(rows.together if is_beginning else None)
    return replace(sheet, remarks=_in_order(sheet, encoding, rows, layout))


def _csv_parts(stream: IO[bytes], file: Path, layout: Layout, n: int) -> Iterator[Sheet]:
    text, encoding = decoding.open_text(stream, layout.encoding)
    with text:
        rows = _Rows(text, file, layout)
        first = rows.sheet(n)
        yield replace(first, remarks=_in_order(first, encoding, rows, layout))
        while (sheet := rows.sheet(n)).n_rows:
            yield sheet


def _in_order(sheet: Sheet, encoding: str, rows: _Rows, layout: Layout) -> list[str]:
    """Remarks on the letters, the header and the rows of a sheet."""
    letters = "" if layout.encoding else decoding.remark(encoding)
    about = [letters, first_line.remark(rows.header, layout.decimal), *sheet.remarks]
    return [remark for remark in about if remark] + rows.renamed


class _Rows:
    """A CSV below its header, as columns of some rows after the others."""

    def __init__(self, text: TextIOWrapper, file: Path, layout: Layout):
        for _ in range(layout.skip_rows):
            text.readline()
        csv.field_size_limit(1 << 30)  # of the whole process, which may have set another
        is_space = layout.separator == " "
        reader = csv.reader(
            text, delimiter=layout.separator, skipinitialspace=not is_space, strict=True
        )
        self.file, self.layout = file, layout
        self._lines: list[int] = []
        self._rows = _numbered(reader, self._lines)
        header = next((row for row in self._rows if _n_filled(row)), None)
        if header is None:
            raise UserError(f"{file}: {NO_TABLE}: it has no header")
        if any("\0" in cell for cell in header):
            raise UserError(
                f"{file}: its text holds characters of code 0, as UTF-16 without a mark does; set "
                "dataset.encoding, for example utf-16-le"
            )
        _check_size(1, len(header), file)
        self.header, self.n_above, self.n_before = header, len(self._lines), 0
        self.names, self.renamed = _names(header)
        self.together = max(1, BLOCK // len(header))
        """Rows that are Python's strings at once."""

    def sheet(self, n: int | None = None) -> Sheet:
        """The next n rows, or all that are left, block by block; remarks are on these."""
        import pyarrow as pa

        chunks: list[list[pa.Array]] = [[] for _ in self.names]
        odd, n_rows = _OddRows(), 0
        while block := self._block(self.together if n is None else min(self.together, n - n_rows)):
            odd.has_surplus |= max(map(len, block)) > len(self.names)
            cut = _cut(block, len(self.names), self.n_before, self.file, odd)
            for column, cells in zip(chunks, cut, strict=True):
                column.append(pa.array(cells, pa.large_string()))
            n_rows, self.n_before = n_rows + len(block), self.n_before + len(block)
            if odd.n_cells > max(BLOCK, n_rows * len(self.names) / 2):
                raise UserError(  # a short file would fill memory
                    f"{self.file}: most rows have fewer values than the header, which has "
                    f"{len(self.names):,}"
                )
        columns = [pa.chunked_array(column, pa.large_string()) for column in chunks]
        return Sheet(dict(zip(self.names, columns, strict=True)), n_rows, odd.remarks())

    def _block(self, n: int) -> list[list[str]]:
        block = list(itertools.islice(self._rows, n))
        if block and not self.n_before:
            lines = self._lines[self.n_above :]
            _check_header(self.header, block, self.file, self.layout, lines)
        return block


def _numbered(reader: Reader, lines: list[int]) -> Iterator[list[str]]:
    """Rows that are not empty; of the first ones the lines that they end in are added."""
    for row in reader:
        if row:
            if len(lines) <= N_LINES:
                lines.append(reader.line_num)
            yield row


@dataclass
class _OddRows:
    """How many rows lack values, the first of them, counted from 1, and how many values; whether
    rows have more than the header."""

    n: int = 0
    first: int = 0
    n_cells: int = 0
    has_surplus: bool = False

    def remarks(self) -> list[str]:
        remarks = []
        if self.has_surplus:
            remarks.append("rows end with a separator that the header does not have")
        if self.n:
            remarks.append(
                f"{plural(self.n, 'row')} {'has' if self.n == 1 else 'have'} fewer values than the "
                f"header, for example row {self.first}: the last columns there are gaps"
            )
        return remarks

    def count(self, row: int, n_cells: int) -> None:
        self.first = self.first or row
        self.n += 1
        self.n_cells += n_cells


def _cut(
    block: list[list[str]], width: int, n_before: int, file: Path, short: _OddRows
) -> list[tuple[str, ...]]:
    """The columns of a block of rows, whose surplus has to be empty.

    Args:
        n_before: number of rows before the block.
        short: counts the rows that are filled up with gaps.
    """
    if set(map(len, block)) != {width}:
        for i, row in enumerate(block):
            if len(row) < width:
                short.count(n_before + i + 1, width - len(row))
                row += [""] * (width - len(row))
            elif any(cell.strip() for cell in row[width:]):
                raise UserError(
                    f"{file}: row {n_before + i + 1} has {len(row)} values and the header "
                    f"{width}; values that hold the separator stand in quotes"
                )
            else:
                del row[width:]
    return list(zip(*block, strict=True))


def _names(header: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of the columns, all different, and remarks on those that had to be made up.

    >>> _names(["a", " a", ""])
    (['a', 'a.1', 'Unnamed: 2'], ["there are two columns 'a'; the second is called 'a.1'"])
    """
    names: dict[str, None] = {}
    remarks = []
    for i, cell in enumerate(header):
        name = cell.strip() or f"Unnamed: {i}"
        unique, n = name, 0
        while unique in names:
            n += 1
            unique = f"{name}.{n}"
        if n:
            order = "second" if n == 1 else f"{n + 1}th"
            remarks.append(f"there are two columns {name!r}; the {order} is called {unique!r}")
        names[unique] = None
    return list(names), remarks


def _check_header(
    header: Sequence[str],
    block: Sequence[Sequence[str]],
    file: Path,
    layout: Layout,
    lines: Sequence[int],
) -> None:
    """Refuses a header that is a title above the table, or a file with another separator.

    Args:
        block: first rows.
        lines: lines of the first of these, counted from 1 below `skip_rows`.
    """
    width, usual = len(header), Counter(map(len, block)).most_common(1)[0][0]
    if width == 1 or usual != width:
        _check_separator(header, block, file, layout)
    n_wide = sum(any(cell.strip() for cell in row[width:]) for row in block)
    if n_wide >= NEARLY_ALL * len(block) or _n_filled(header) < width / 2:
        candidates = zip(lines, block, strict=False)
        complete = (n for n, row in candidates if _n_filled(row) >= max(2, usual / 2))
        above = layout.skip_rows + next(complete, 2) - 1
        raise UserError(
            f"{file}: its header is {layout.separator.join(header)[:80]!r}, and nearly all rows "
            f"have {max(usual, width)} values; "
            + ("if its first name is missing, write it; " if usual == width + 1 else "")
            + "if it is a title, leave out the lines above the header by dataset.skip_rows: "
            + str(above)
        )


def _check_separator(
    header: Sequence[str], block: Sequence[Sequence[str]], file: Path, layout: Layout
) -> None:
    """Refuses a file that another separator cuts into as many columns in nearly all rows as in the
    header; says whether its numbers have another decimal point, too."""
    names, *lines = (layout.separator.join(row) for row in (header, *block))
    for other in SEPARATORS.replace(layout.separator, ""):
        n, n_alike = (
            names.count(other),
            sum(line.count(other) == names.count(other) for line in lines),
        )
        if not n or n_alike < NEARLY_ALL * len(lines):
            continue
        keys = f"dataset.separator: {other!r}"
        cells = [cell for line in lines[:N_LINES] for cell in line.split(other)]
        if other != "," and layout.decimal == "." and has_decimal_commas(cells):
            keys += " and dataset.decimal: ','"
        raise UserError(
            f"{file}: {layout.separator!r} does not separate its columns, by {other!r} there are "
            f"{n + 1}; set {keys}"
        )


def has_decimal_commas(cells: Sequence[str]) -> bool:
    """Whether more of them are numbers like 1,5 than numbers like 1.5.

    >>> has_decimal_commas(["1,5", " -2,25", "3.5"]), has_decimal_commas(["1,5", "3.5", "a"])
    (True, False)
    """
    n_commas, n_points = (sum(bool(sign.fullmatch(cell)) for cell in cells) for sign in DECIMALS)
    return n_commas > n_points


def _n_filled(row: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)
