"""Columns of a table: what kind each is, and how its values become numbers in [0, 1].

What is recognised stays in plain mappings, which are the schema as JSON: the report for people, and
all that is needed to encode new rows in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

Column = dict[str, Any]
USED = ("numeric", "categorical", "date")
MIN_ROWS = 20  # in fewer ones, values that all differ are no sign of an identifier
TAILS = (0.001, 0.999)  # quantiles that become 0 and 1: one wrong entry does not squeeze the rest
IDENTIFIERS = {"id", "key", "nr", "no"}  # words in the name of a column of whole numbers
VARIANCE = 0.04  # of a category's features together: numbers have about as much from 0 to 1
WAVE = 0.15  # height of a date's waves, whose four variances are then .045 together
MISSING_ON = 0.5  # the feature that marks a gap; 0 where there is none
OTHER, MISSING = "(other)", "(missing)"
DAYS = ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d")
DATES = ("ISO8601", *(f"{day}{time}" for day in DAYS for time in ("", " %H:%M", " %H:%M:%S")))
DAY_S = 86_400
CYCLES = {"year": 365.2425 * DAY_S, "week": 7.0 * DAY_S}


def recognise(table: pd.DataFrame, kinds: Mapping[str, str], max_categories: int) -> list[Column]:
    """What every column is.

    Args:
        kinds: those that the user has named, by column.

    Returns:
        In the table's order, with "name", "kind", "n_missing", "n_different" (None of what is
        ignored or nested) and, of those that are used, what their encoding needs and "features",
        their columns of x.
    """
    columns: list[Column] = []
    start = 0
    for name, values in table.items():
        column = _recognise(values, kinds.get(str(name)), max_categories)
        if column["kind"] in USED:
            width = len(_feature_names(column))
            column["features"] = [start, start + width]
            start += width
        columns.append(column)
    return columns


def encode(
    table: pd.DataFrame, columns: Sequence[Column], source: str
) -> tuple[np.ndarray, dict[str, str]]:
    """Features float32 (N, D) in [0, 1], and by column what had to be bent to fit.

    A category that was not there before counts as other, where there was any, or as none;
    what is no number or no date counts as missing.

    Raises:
        UserError: a column that was learned from is missing.
    """
    used = [column for column in columns if column["kind"] in USED]
    for column in used:
        if column["name"] not in table.columns:
            raise UserError(
                f"{source}: column {column['name']!r} is missing; found {_listed(table.columns)}"
            )
    x = np.empty((len(table), used[-1]["features"][1] if used else 0), np.float32)
    bent: dict[str, str] = {}
    encoders = {"numeric": _number, "categorical": _category, "date": _date}
    for column in used:
        values: pd.Series = table[str(column["name"])]
        start, stop = column["features"]
        x[:, start:stop], odd = encoders[column["kind"]](values, column)
        if odd:
            bent[column["name"]] = odd
    return x, bent


def feature_names(columns: Sequence[Column]) -> list[str]:
    """Names of the columns of x, in order."""
    return [name for column in columns if column["kind"] in USED for name in _feature_names(column)]


def summary(columns: Sequence[Column]) -> str:
    """Kinds of columns as one line for people.

    >>> summary([{"name": "a", "kind": "numeric"}, {"name": "b", "kind": "constant"}])
    '1 numeric; left out: b (constant)'
    """
    used = [column["kind"] for column in columns if column["kind"] in USED]
    counts = [f"{used.count(kind)} {kind}" for kind in USED if kind in used]
    left = [f"{c['name']} ({c['kind']})" for c in columns if c["kind"] not in USED]
    return ", ".join(counts) + (f"; left out: {_listed(left)}" if left else "")


def _recognise(values: pd.Series, kind: str | None, max_categories: int) -> Column:
    present = values.dropna()
    n_different = None if kind == "ignored" else _n_different(present)
    column: Column = {
        "name": str(values.name),
        "kind": kind or _kind(values, present, n_different, max_categories),
        "n_missing": int(values.isna().sum()),
        "n_different": n_different,
    }
    if column["kind"] == "numeric":
        return column | _range(_as_numbers(values)[0], column["name"])
    if column["kind"] == "date":
        column["format"] = _date_format(present)
        return column | _range(_as_seconds(values, column["format"]), column["name"])
    if column["kind"] == "categorical":
        counts = words(values).value_counts()
        order = sorted(counts.index, key=lambda word: (-counts[word], word))
        categories = order[:max_categories]
        if len(order) > max_categories:
            categories = [word for word in order[: max_categories - 1] if word != OTHER] + [OTHER]
        column["categories"] = categories
        shares = counts[[word for word in categories if word in counts]] / len(values)
        rest = max(0.0, 1 - float(shares.sum())) if OTHER in categories else 0.0
        chance = 1 - float((shares**2).sum()) - rest**2  # the variance of 0 and 1, of all together
        column["on"] = round(min(1.0, (VARIANCE / max(chance, 1e-6)) ** 0.5), 6)
    return column


def _n_different(present: pd.Series) -> int | None:
    """None of lists and mappings, which a Parquet file may hold and nothing can count."""
    try:
        return int(present.nunique())
    except TypeError:  # they have no hash
        return None


def _kind(values: pd.Series, present: pd.Series, n_different: int | None, most: int) -> str:
    from pandas.api import types

    n = len(present)
    if n == 0:
        return "empty"
    if n_different is None:
        return "nested"
    if n_different == 1 and n == len(values):
        return "constant"
    all_differ = n >= MIN_ROWS and n_different == n
    if types.is_bool_dtype(values):
        return "categorical"
    if types.is_numeric_dtype(values):
        whole = all_differ and (present % 1 == 0).all()
        counting = whole and np.ptp(present) == n - 1
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(values.name)).lower()
        called = whole and IDENTIFIERS & set(re.split(r"[^a-z]+", name))
        return "identifier" if counting or called else "numeric"
    if _date_format(present):
        return "date"
    if all_differ:
        return "identifier"
    if n >= MIN_ROWS and n_different > max(n / 2, most):
        return "almost all different"
    return "categorical"


def _range(numbers: np.ndarray, name: str) -> Column:
    """The middle for what is missing, and the ends that become 0 and 1."""
    present = numbers[np.isfinite(numbers)]
    if not len(present):
        raise UserError(f"params.yaml: dataset: column {name!r} holds no value of the kind given")
    low = np.quantile(present, TAILS[0], method="higher")
    high = np.quantile(present, TAILS[1], method="lower")
    if low >= high:  # of nearly constant ones all that there is
        low, high = present.min(), present.max()
    missing = len(present) < len(numbers)
    middle = np.median(present)
    return {
        "low": float(low),
        "high": float(high),
        "middle": float(middle),
        "has_missing": bool(missing),
    }


def _feature_names(column: Column) -> list[str]:
    name = column["name"]
    if column["kind"] == "categorical":
        return [f"{name}={word}" for word in column["categories"]]
    parts = [name]
    if column["kind"] == "date":
        parts += [f"{name} {wave} of {cycle}" for cycle in CYCLES for wave in ("sine", "cosine")]
    return [*parts, f"{name} is missing"] if column["has_missing"] else parts


def _number(values: pd.Series, column: Column) -> tuple[np.ndarray, str]:
    numbers, n_odd = _as_numbers(values)
    odd = f"{n_odd:,} values are no numbers and count as missing" if n_odd else ""
    return _with_missing(_scaled(numbers, column), numbers, column), odd


def _date(values: pd.Series, column: Column) -> tuple[np.ndarray, str]:
    seconds = _as_seconds(values, column["format"])
    n_odd = int((np.isnan(seconds) & values.notna().to_numpy()).sum())
    odd = f"{n_odd:,} values are no dates and count as missing" if n_odd else ""
    known = np.where(np.isnan(seconds), column["middle"], seconds)
    waves = [
        0.5 + WAVE * wave(2 * np.pi * known / period)
        for period in CYCLES.values()
        for wave in (np.sin, np.cos)
    ]
    features = np.column_stack([_scaled(seconds, column), *waves])
    return _with_missing(features, seconds, column), odd


def _category(values: pd.Series, column: Column) -> tuple[np.ndarray, str]:
    from sklearn.preprocessing import OneHotEncoder

    categories, known = words(values), column["categories"]
    unseen = ~categories.isin(known)
    odd = ""
    if unseen.any():
        examples = _listed(sorted(set(categories[unseen]))[:3])
        odd = f"{int(unseen.sum()):,} values of other categories, for example {examples}"
        if OTHER in known:
            categories = categories.mask(unseen, OTHER)
    encoder = OneHotEncoder(categories=[known], handle_unknown="ignore", sparse_output=False)
    encoder.fit([[known[0]]])
    return column["on"] * encoder.transform(categories.to_numpy(object)[:, None]), odd


def _scaled(numbers: np.ndarray, column: Column) -> np.ndarray:
    """(N, 1) from low to high as 0 to 1, clipped; what is missing is the middle."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    ends = np.array([[column["low"]], [column["high"]]])
    middle = SimpleImputer(strategy="constant", fill_value=column["middle"])
    pipeline = make_pipeline(middle, MinMaxScaler(clip=True)).fit(ends)
    return np.asarray(pipeline.transform(numbers[:, None]))


def _with_missing(features: np.ndarray, numbers: np.ndarray, column: Column) -> np.ndarray:
    if not column["has_missing"]:
        return features
    return np.column_stack([features, MISSING_ON * np.isnan(numbers)])


def _as_numbers(values: pd.Series) -> tuple[np.ndarray, int]:
    """float64 with NaN for what is missing, infinite or no number, and how many are no number."""
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    n_odd = int((np.isnan(numbers) & values.notna().to_numpy()).sum())
    return np.where(np.isfinite(numbers), numbers, np.nan), n_odd


def _date_format(present: pd.Series) -> str | None:
    """The first format in which every value is a date; None if there is none."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(present):
        return "ISO8601"
    if pd.api.types.is_numeric_dtype(present):
        return None
    for accepted in DATES:
        words = present.astype(str)
        head = pd.to_datetime(words[:100], format=accepted, errors="coerce", utc=True)
        if head.notna().all():
            if pd.to_datetime(words, format=accepted, errors="coerce", utc=True).notna().all():
                return accepted
    return None


def _as_seconds(values: pd.Series, accepted: str | None) -> np.ndarray:
    """Seconds since 1970, NaN for what is missing or no date."""
    import pandas as pd

    dates = pd.to_datetime(values, format=accepted, errors="coerce", utc=True)
    seconds = (dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    return seconds.to_numpy(dtype=np.float64, na_value=np.nan)


def words(values: pd.Series) -> pd.Series:
    """Categories as text: 1 and 1.0 are the same, whatever else a column holds."""
    from pandas.api import types

    words = values.map(str, na_action="ignore").astype(object)
    if types.is_float_dtype(values):  # not by map, which widens 0.1 of 32 bits
        numbers = values.to_numpy(na_value=np.nan)
        words[:] = [str(int(v) if v.is_integer() else v) for v in numbers]
    return words.where(values.notna(), MISSING)


def _listed(names: Collection[Any], n: int = 10) -> str:
    first = [str(name) for name in list(names)[:n]]
    return ", ".join(first) + (f" and {len(names) - n} more" if len(names) > n else "")
