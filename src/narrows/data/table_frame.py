"""Rows of x back as the columns of the user's table, by the schema that `prepare` left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from narrows.data.tables.columns import MISSING_ON, extent
from narrows.errors import UserError
from narrows.store.reading import read_schema


def schema(folder: Path, kind: str) -> dict[str, Any]:
    """data/<dataset>/schema/schema.json of a dataset of this kind, "table" or "text".

    Raises:
        UserError: it is missing, or of another kind.
    """
    content = read_schema(folder)
    if content.get("dataset") != kind:
        name = content.get("dataset", "nothing")
        raise UserError(f"{folder}/schema/schema.json describes no {kind}; found {name}")
    return content


def used(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The columns of a schema that became features, in the order of x; of no table none."""
    return [column for column in schema.get("columns", []) if "features" in column]


def decoded(
    x: Float[np.ndarray, "N D"],
    columns: Sequence[dict[str, Any]],
    beyond: Float[np.ndarray, "N C"] | None = None,
) -> pd.DataFrame:
    """Numbers and dates in their own units, categories as words, NaN or None for what is missing;
    None for texts, of which x has no words.

    Of a reconstruction a category is the likeliest one.

    Args:
        columns: what `used` returns.
        beyond: how far values lie outside the ends that became 0 and 1; without it they are these
            ends, so that a single wrong entry does not move a mean.

    Example:
        0.25 of the way from 10 to 30, the second of two colours, a date at its later end:

        >>> columns = [
        ...     {"name": "n", "kind": "numeric", "features": [0, 1], "low": 10, "high": 30,
        ...      "has_missing": False},
        ...     {"name": "c", "kind": "categorical", "features": [1, 3], "categories": ["r", "g"]},
        ...     {"name": "d", "kind": "date", "features": [3, 8], "low": 0, "high": 86400,
        ...      "has_missing": False},
        ... ]
        >>> frame = decoded(np.array([[0.25, 0, 1, 1, 0, 0, 0, 0]]), columns)
        >>> frame["n"][0].item(), frame["c"][0], str(frame["d"][0].date())
        (15.0, 'g', '1970-01-02')
    """
    frame: dict[str, Any] = {}
    for c, column in enumerate(columns):
        start, stop = column["features"]
        if column["kind"] == "text":
            frame[column["name"]] = np.full(len(x), None)
            continue
        features = np.asarray(x[:, start:stop], np.float64)
        if column["kind"] == "categorical":
            words = np.array(column["categories"], object)[features.argmax(axis=1)]
            frame[column["name"]] = np.where(features.any(axis=1), words, None)
            continue
        scaled = features[:, 0] if beyond is None else features[:, 0] + beyond[:, c]
        values = column["low"] + scaled * extent(column)
        if column["has_missing"]:
            values[features[:, -1] > MISSING_ON / 2] = np.nan
        if column["kind"] == "date":
            frame[column["name"]] = _dates(values)
        else:
            frame[column["name"]] = values
    return pd.DataFrame(frame)


def with_gaps_of(
    x: Float[np.ndarray, "N D"], x_hat: Float[np.ndarray, "N D"], columns: Sequence[dict[str, Any]]
) -> Float[np.ndarray, "N D"]:
    """Reconstructions x_hat that are compared with rows x: what stands for a gap in x is no value,
    so that nothing else can be expected in its place; and a gap that is expected is no error.

    >>> column = {"name": "n", "kind": "numeric", "features": [0, 2], "has_missing": True}
    >>> gap, x_hat = np.array([[0.5, 0.5]] * 2), np.array([[0.9, 0.0], [0.9, 0.4]])
    >>> with_gaps_of(gap, x_hat, [column]).tolist()
    [[0.5, 0.0], [0.5, 0.5]]
    """
    x_hat = x_hat.copy()
    for column in columns:
        if not column.get("has_missing"):  # a category has none of its own
            continue
        start, stop = column["features"]
        is_gap = x[:, stop - 1] > MISSING_ON / 2
        x_hat[is_gap, start : stop - 1] = x[is_gap, start : stop - 1]
        is_expected = is_gap & (x_hat[:, stop - 1] > MISSING_ON / 2)
        x_hat[is_expected, stop - 1] = x[is_expected, stop - 1]
    return x_hat


def _dates(seconds: np.ndarray) -> np.ndarray:
    """datetime64[s] of seconds since 1970, in any year."""
    dates = np.round(np.nan_to_num(seconds)).astype("datetime64[s]")
    return np.where(np.isnan(seconds), np.datetime64("NaT", "s"), dates)
