"""A table of your own, CSV or Parquet: numbers, categories, dates and texts, also with gaps.

Every column's kind is decided by nine in ten of its cells, written to schema/ and can be overruled
here. Numbers become [0, 1] from their 0.1 % to their 99.9 % quantile, categories one feature each,
dates the time and their place in the year and in the week, texts the components of their parts.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Annotated, Any

import numpy as np
from pydantic import Field, NonNegativeInt

from narrows.config.messages import plural
from narrows.config.plugins import config
from narrows.data.datasets import _files
from narrows.data.datasets._base import Dataset, NothingLeft, Part, Skipped, numbered
from narrows.data.tables import account, columns, reading
from narrows.data.tables.cells import Cells, cells
from narrows.data.tables.reading import CSV, PARQUET, Layout, Sheet
from narrows.errors import UserError

NO_LABEL = frozenset({"NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None"})


@config
class Config:
    """A table, and what its columns are where that cannot be seen."""

    path: str
    """The file, .csv or .parquet; ~ is your home."""
    separator: str = ","
    """Character between the values of a CSV."""
    decimal: str = "."
    """Decimal point in the numbers of a CSV."""
    thousands: str | None = None
    """Character that groups the digits of numbers in a CSV; null takes , or . (whichever is no
    decimal point) in columns that show it. Spaces and apostrophes always may."""
    encoding: str | None = None
    """Encoding of a CSV, as Python calls it; null goes by its byte order mark, takes UTF-8, and
    cp1252 where it is none."""
    skip_rows: NonNegativeInt = 0
    """Lines above the header of a CSV, like a title."""
    missing: tuple[str | int | float, ...] = ()
    """Words or numbers that are gaps in every column. In columns of numbers and dates whatever is
    none is a gap anyway."""
    labels: str | None = None
    """Column for scoring only, never a feature. Rows without a label are left out."""
    names: str | None = None
    """Column that names the rows in samples.csv, no feature either."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out."""
    numeric: tuple[str, ...] = ()
    """Columns that are numbers, whatever they look like."""
    categorical: tuple[str, ...] = ()
    """Columns that are categories, whatever they look like."""
    text: tuple[str, ...] = ()
    """Columns that are free text, whatever they look like; it needs `narrows[tables]`."""
    max_categories: Annotated[int, Field(ge=2)] = 30
    """Most categories of a column, `(other)` included, which takes the rarest."""

    def __post_init__(self) -> None:
        for key in ("separator", "decimal", "thousands"):
            value = getattr(self, key)
            if value is not None and (len(value) != 1 or value in '"\r\n'):
                raise ValueError(
                    f"{key}: accepted is one character, no quote and no end of a line, found "
                    f"{value!r}"
                )
        if self.decimal == self.thousands:
            raise ValueError(f"thousands: {self.thousands!r} is the decimal point already")
        try:
            self.encoding is None or "".encode(self.encoding)
        except (LookupError, UnicodeError):
            raise ValueError(
                f"encoding: accepted are null and an encoding of Python like utf-16 or cp1250, "
                f"found {self.encoding!r}"
            ) from None


def fetch(cfg: Config, raw_dir: Path) -> None:
    """Lists the file; it stays where it is."""
    file = _files.located(cfg.path)
    if file.is_dir() or file.suffix.lower() not in CSV | PARQUET:
        raise UserError(f"params.yaml: dataset.path: {file} is no .csv and no .parquet")
    _files.fetch(_files.find(file, CSV | PARQUET), raw_dir)


def load(cfg: Config, raw_dir: Path) -> Dataset:
    """Rows float32 (N, D) in [0, 1], in the order of the file."""
    file, (listed,) = _files.located(cfg.path), _files.read(raw_dir)
    if listed.problem:
        raise UserError(f"params.yaml: dataset.path: {file} {listed.problem}")
    layout = layout_of(cfg)
    with _files.open_listed(file.parent, listed) as stream:
        sheet = reading.read(stream, file, layout)
    _check_names(cfg, sheet, file)
    table, skipped = _labelled(sheet, cfg.labels, layout.missing)
    n_rows = sheet.n_rows - len(skipped)
    schema = [
        columns.recognise(column, _kinds(cfg).get(name), layout, cfg.max_categories)
        for name, column in table.items()
    ]
    arrays = columns.learn_texts(table, schema)
    columns.place(schema)
    if not n_rows or not columns.feature_names(schema):
        raise NothingLeft(
            f"params.yaml: dataset.path: {file} has {plural(n_rows, 'row')} and no column to learn "
            f"from ({'; '.join([account.summary(schema), *sheet.remarks])})",
            skipped,
        )
    encoded = columns.encode(table, n_rows, schema, arrays)
    rare = {column["name"] for column in schema if column["kind"] == "categorical"}
    remarks = {name: text for name, text in encoded.remarks.items() if name not in rare}
    labels, label_names = numbered(_words(table[cfg.labels])) if cfg.labels else (None, None)
    general = [account.summary(schema), *account.unread(schema), *sheet.remarks]
    return Dataset(
        encoded.x,
        labels,
        is_test=None,
        names=_words(table[cfg.names]) if cfg.names else None,
        label_names=label_names,
        skipped=skipped,
        schema=_schema(layout, schema),
        arrays=arrays,
        beyond=encoded.beyond,
        warnings=[*general, *account.by_kind(schema), *account.named(remarks)],
        account=[*general, *account.by_column(schema, remarks)],
    )


def parts(schema: Mapping[str, Any], path: Path, n: int) -> Iterator[Part]:
    """New rows, n at a time: their cells. Raises as `encode` does."""
    first, layout = 0, _layout_in(schema)
    with _opened(path) as stream:
        for sheet in reading.parts(stream, path, layout, n):
            yield Part(sheet.n_rows, first, sheet)
            first += sheet.n_rows


def encode(
    schema: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    path: Path,
    part: Part | None = None,
) -> Dataset:
    """New rows as `load` encoded those that were learned from, all or those of a part; warnings say
    what did not fit.

    Raises:
        UserError: no table, or a column that was learned from is missing.
        NothingLeft: a table without rows.
    """
    layout = _layout_in(schema)
    if part:
        sheet = part.content
    else:
        with _opened(path) as stream:
            sheet = reading.read(stream, path, layout)
    for column in schema["columns"]:
        if "features" in column and column["name"] not in sheet.columns:
            there = columns.listed(sheet.columns)
            raise UserError(f"{path}: column {column['name']!r} is missing; found {there}")
    if not sheet.n_rows:
        name = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise NothingLeft(f"{path} has a header and no rows", [Skipped(name, "no rows")])
    naming = [c["name"] for c in schema["columns"] if c["kind"] == "names"]
    used = {c["name"] for c in schema["columns"] if "features" in c or c["kind"] == "names"}
    table = {
        name: cells(name, column, layout.missing)
        for name, column in sheet.columns.items()
        if name in used
    }
    encoded = columns.encode(table, sheet.n_rows, schema["columns"], arrays)
    remarks = [*sheet.remarks, *account.named(encoded.remarks)]
    return Dataset(
        encoded.x,
        labels=None,
        is_test=None,
        names=_words(table[naming[0]]) if naming and naming[0] in table else None,
        schema=schema,
        beyond=encoded.beyond,
        warnings=[f"{path}: {remark}" for remark in remarks],
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a table."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; accepted are .csv, .tsv and .parquet files")
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _layout_in(schema: Mapping[str, Any]) -> Layout:
    """How the known rows were written."""
    try:
        return Layout(**{key: schema[key] for key in Layout._fields})
    except KeyError as error:
        raise UserError(
            f"the schema of the known rows has no {error}: it is of an older version; run "
            "`dvc repro prepare`"
        ) from None


def layout_of(cfg: Config) -> Layout:
    """How the file is written, by what params.yaml says of it."""
    missing = tuple(map(str, cfg.missing))
    return Layout(cfg.separator, cfg.decimal, cfg.thousands, cfg.encoding, cfg.skip_rows, missing)


def _schema(layout: Layout, schema: list[columns.Column]) -> dict[str, Any]:
    features = columns.feature_names(schema)
    return {"dataset": "table", **layout._asdict(), "features": features, "columns": schema}


def _check_names(cfg: Config, sheet: Sheet, file: Path) -> None:
    for key in ("labels", "names", "ignore", "numeric", "categorical", "text"):
        names = getattr(cfg, key)
        for name in names if isinstance(names, tuple) else [names] if names else []:
            if name not in sheet.columns:
                raise UserError(
                    f"params.yaml: dataset.{key}: {file} has no column {name!r}; it has "
                    f"{columns.listed(sheet.columns, 20)}"
                )


def _labelled(
    sheet: Sheet, labels: str | None, missing: Sequence[str]
) -> tuple[dict[str, Cells], list[Skipped]]:
    """Columns of the rows that have a label, and the rows that have none."""
    import pyarrow as pa

    if not labels:
        return {name: cells(name, column, missing) for name, column in sheet.columns.items()}, []
    has_label = cells(labels, sheet.columns[labels], (*missing, *NO_LABEL)).places >= 0
    rows = pa.array(has_label)
    table = {n: cells(n, column.filter(rows), missing) for n, column in sheet.columns.items()}
    return table, [Skipped(f"row {i + 1}", "no label") for i in np.flatnonzero(~has_label).tolist()]


def _kinds(cfg: Config) -> dict[str, str]:
    """Kinds of columns that params.yaml names, by column."""
    kinds = dict.fromkeys(cfg.numeric, "numeric") | dict.fromkeys(cfg.categorical, "categorical")
    kinds |= dict.fromkeys(cfg.text, "text") | dict.fromkeys(cfg.ignore, "ignored")
    kinds |= {name: kind for kind in ("names", "labels") if (name := getattr(cfg, kind))}
    return kinds


def _words(column: Cells) -> list[str]:
    if column.type in ("nested", "bytes"):
        raise UserError(
            f"params.yaml: dataset: column {column.name!r} holds lists, mappings or bytes; labels "
            "and names are words, numbers or dates"
        )
    return [columns.MISSING if word is None else word for word in column.rows(column.words())]
