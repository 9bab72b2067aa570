"""A table of your own, CSV or Parquet: numbers, categories and dates, also with gaps.

Every column's kind is recognised, written to schema/schema.json and can be overruled here. Numbers
become [0, 1] from their 0.1 % to their 99.9 % quantile, categories one feature each, dates the time
and their place in the year and in the week.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from narrows.config.plugins import config
from narrows.data.datasets import _columns, _files
from narrows.data.datasets._base import Dataset, Skipped, numbered
from narrows.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

CSV, PARQUET = {".csv", ".tsv", ".txt"}, {".parquet", ".pq"}


@config
class Config:
    """A table, and what its columns are where that cannot be seen."""

    path: str
    """The file, .csv or .parquet; ~ is your home."""
    separator: str = ","
    """Character between the values of a CSV."""
    decimal: str = "."
    """Decimal point in the numbers of a CSV."""
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
    max_categories: Annotated[int, Field(ge=2)] = 30
    """Most categories of a column, `(other)` included, which takes the rarest."""


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
    with _files.open_listed(file.parent, listed) as stream:
        table = _read(stream, file, cfg.separator, cfg.decimal)
    for key in ("labels", "names", "ignore", "numeric", "categorical"):
        names = getattr(cfg, key)
        for name in names if isinstance(names, tuple) else [names] if names else []:
            if name not in table.columns:
                columns_there = ", ".join(map(str, table.columns[:20]))
                raise UserError(
                    f"params.yaml: dataset.{key}: {file} has no column {name!r}; it has "
                    f"{columns_there}"
                )
    skipped: list[Skipped] = []
    if cfg.labels:
        without = table[cfg.labels].isna().to_numpy()
        skipped = [Skipped(f"row {i + 1}", "no label") for i in np.flatnonzero(without).tolist()]
        table = table[~without]
    columns = _columns.recognise(table, _kinds(cfg), cfg.max_categories)
    if not len(table) or not any(column["kind"] in _columns.USED for column in columns):
        raise UserError(
            f"params.yaml: dataset.path: {file} has {len(table):,} rows and no column to learn "
            f"from ({_columns.summary(columns).strip('; ') or 'no column'})"
        )
    x, bent = _columns.encode(table, columns, str(file))
    rare = {column["name"] for column in columns if column["kind"] == "categorical"}
    odd = [f"column {name!r}: {change}" for name, change in bent.items() if name not in rare]
    labels, label_names = None, None
    if cfg.labels:
        labels, label_names = numbered(_words(table[cfg.labels]))
    return Dataset(
        x,
        labels,
        is_test=None,
        names=_words(table[cfg.names]) if cfg.names else None,
        label_names=label_names,
        skipped=skipped,
        schema={
            "dataset": "table",
            "separator": cfg.separator,
            "decimal": cfg.decimal,
            "features": _columns.feature_names(columns),
            "columns": columns,
        },
        warnings=[f"{len(columns)} columns: {_columns.summary(columns)}", *odd],
    )


def encode(schema: Mapping[str, Any], arrays: Mapping[str, np.ndarray], path: Path) -> Dataset:
    """New rows as `load` encoded those that were learned from; warnings say what did not fit.

    Raises:
        UserError: no table, or a column that was learned from is missing.
    """
    try:
        with path.open("rb") as stream:
            table = _read(stream, path, schema["separator"], schema["decimal"])
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    x, bent = _columns.encode(table, schema["columns"], str(path))
    warnings = [f"{path}: column {name!r}: {change}" for name, change in bent.items()]
    columns = [c["name"] for c in schema["columns"] if c["kind"] == "names"]
    names = _words(table[columns[0]]) if columns and columns[0] in table.columns else None
    return Dataset(x, None, None, names=names, schema=schema, warnings=warnings)


def _read(stream: IO[bytes], file: Path, separator: str, decimal: str) -> pd.DataFrame:
    import pandas as pd

    try:
        if file.suffix.lower() in PARQUET:
            table = pd.read_parquet(stream)
        else:
            table = pd.read_csv(stream, sep=separator, decimal=decimal, low_memory=False)
    except Exception as error:  # parsers of hostile bytes raise anything
        message = " ".join(str(error).split())[:200]
        raise UserError(f"{file}: not a table that can be read: {message}") from None
    table.columns = table.columns.map(str)
    if not table.columns.is_unique:
        twice = sorted(set(table.columns[table.columns.duplicated()]))
        raise UserError(f"{file}: there are two columns {twice[0]!r}")
    return table


def _kinds(cfg: Config) -> dict[str, str]:
    """Kinds of columns that params.yaml names, by column."""
    kinds = dict.fromkeys(cfg.numeric, "numeric") | dict.fromkeys(cfg.categorical, "categorical")
    kinds |= dict.fromkeys(cfg.ignore, "ignored")
    kinds |= {name: kind for kind in ("names", "labels") if (name := getattr(cfg, kind))}
    return kinds


def _words(values: pd.Series) -> list[str]:
    return [str(value) for value in _columns.words(values)]
