"""Columns of a table as features in [0, 1], by a schema that encodes new rows in the same way.

The schema is plain mappings, as JSON has them: the report for people, and all that is needed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np

from narrows.data.tables import dates, kinds, texts
from narrows.data.tables.cells import DAY_S, Cells
from narrows.data.tables.kinds import USED
from narrows.data.tables.reading import Layout
from narrows.errors import UserError

Column = dict[str, Any]
TAILS = (0.001, 0.999)  # quantiles that become 0 and 1: one wrong entry does not squeeze the rest
VARIANCE = 0.04  # about a number's: of a category's features together, of a text's first one
WAVE = 0.15  # height of a date's waves, whose four variances are then .045 together
MISSING_ON = 0.5  # the feature that marks a gap; 0 where there is none
FAR = 3.0  # ranges beyond the range of a column from which a value is told of
FARTHEST = 1e30  # ranges; the square is a float of 64 bits, too
OTHER, MISSING = "(other)", "(missing)"
CYCLES = {"year": dates.YEAR_S, "week": 7.0 * DAY_S}
NO_VALUE = "params.yaml: dataset: column {!r} holds no value of the kind given"
CHOSEN = "as params.yaml says"


@dataclass(frozen=True)
class Encoded:
    """Rows of a table as features, and what features cannot say of them."""

    x: np.ndarray
    """Features float32 (N, D) in [0, 1]."""
    beyond: np.ndarray
    """float32 (N, C) of the used columns: how far a number or a date lies above (or, negative,
    below) the range that became 0 to 1, in units of this range; 0 within it and of words."""
    remarks: dict[str, str]
    """By column, what had to be bent to fit."""


def recognise(cells: Cells, chosen: str | None, layout: Layout, max_categories: int) -> Column:
    """What a column is.

    Args:
        chosen: the kind that the user has named.

    Returns:
        "name", "kind", "why", "n_missing", "n_different" (None of what is ignored or nested) and,
        of a kind that is used, what its encoding needs.

    Raises:
        UserError: no value is of the chosen kind.
    """
    if chosen:
        kind, rule = kinds.Kind(chosen, CHOSEN), kinds.reading(cells, chosen, layout)
    else:
        kind, rule = kinds.decide(cells, layout, max_categories)
    is_counted = chosen != "ignored" and cells.type not in ("nested", "bytes")
    column: Column = {
        "name": cells.name,
        "kind": kind.name,
        "why": kind.why,
        "n_missing": cells.n_missing,
        "n_different": len(cells.values) if is_counted else None,
        **rule,
    }
    if kind.name == "numeric":
        return column | _range(cells.rows(kinds.as_numbers(cells, rule)), cells.name)
    if kind.name == "date":
        seconds = kinds.as_seconds(cells, rule)
        column["first"], column["last"] = dates.ends(seconds[~np.isnan(seconds)])
        return column | _range(cells.rows(_real(seconds, column)), cells.name)
    if kind.name == "categorical":
        return column | _categories(cells, max_categories)
    return column


def learn_texts(sheet: Mapping[str, Cells], columns: Sequence[Column]) -> dict[str, np.ndarray]:
    """What the encoding of columns of text needs beside the schema, to which it adds; raises as
    `texts.learn` does."""
    arrays: dict[str, np.ndarray] = {}
    for i, column in enumerate(columns):
        if column["kind"] != "text":
            continue
        cells = sheet[column["name"]]
        learned = texts.learn(cells.words(), column["name"])
        codes = texts.codes(cells.words(), learned)
        counts = np.where(np.isnan(codes[:, 0]), 0, cells.counts)
        known = np.nan_to_num(codes)
        middle = counts @ known / counts.sum()
        variance = float((counts @ np.square(known - middle)).max() / counts.sum())
        column |= {
            "arrays": f"text_{i}",
            "n_numbers": codes.shape[1],
            "on": round((VARIANCE / max(variance, 1e-6)) ** 0.5, 6),
            "has_missing": bool(counts.sum() < len(cells.places)),
        }
        learned["middle"] = middle.astype(np.float32)
        arrays |= {f"{column['arrays']}_{part}": array for part, array in learned.items()}
    return arrays


def place(columns: Sequence[Column]) -> None:
    """Gives every column that is used "features", the first of its columns of x and their end."""
    start = 0
    for column in columns:
        if column["kind"] in USED:
            stop = start + len(_feature_names(column))
            column["features"] = [start, stop]
            start = stop


def encode(
    sheet: Mapping[str, Cells],
    n_rows: int,
    columns: Sequence[Column],
    arrays: Mapping[str, np.ndarray],
) -> Encoded:
    """Rows by the schema of `recognise`, `learn_texts` and `place`.

    A category that was not there before counts as other, where there was any, or as none;
    what is no number, no date and like no known text counts as missing.

    Args:
        sheet: cells by column; all that are used have to be there.
        arrays: what `learn_texts` returned.
    """
    used = [column for column in columns if column["kind"] in USED]
    x = np.empty((n_rows, used[-1]["features"][1] if used else 0), np.float32)
    beyond = np.zeros((n_rows, len(used)), np.float32)
    remarks: dict[str, str] = {}
    encoders: dict[str, Callable[[Cells, Column], tuple[np.ndarray, np.ndarray | float, str]]]
    encoders = {"numeric": _number, "categorical": _category, "date": _date}
    encoders["text"] = functools.partial(_text, arrays)
    for i, column in enumerate(used):
        start, stop = column["features"]
        cells = sheet[column["name"]]
        features, outside, remark = encoders[column["kind"]](cells, column)
        x[:, start:stop] = features
        beyond[:, i] = outside
        if remark := _joined([_no_values(cells), remark]):
            remarks[column["name"]] = remark
    return Encoded(x, beyond, remarks)


def feature_names(columns: Sequence[Column]) -> list[str]:
    """Names of the columns of x, in order."""
    return [name for column in columns if column["kind"] in USED for name in _feature_names(column)]


def extent(column: Column) -> float:
    """What counts as the range of a column of numbers or dates where it is not 0: of a single
    number its size, of a single date a year."""
    single = dates.YEAR_S if column["kind"] == "date" else max(1.0, abs(float(column["high"])))
    return float(column["high"] - column["low"]) or single


def ends(column: Column, low: str, high: str) -> str:
    """The range of a column in its own units.

    >>> ends({"kind": "numeric", "low": 0.5, "high": 1e6}, "low", "high")
    '0.5 to 1e+06'
    """
    if column["kind"] == "date":
        kind = Cells("", "times", np.array([column[low], column[high]]), np.empty(0, int))
        return " to ".join(kind.words())
    return f"{column[low]:.6g} to {column[high]:.6g}"


def legible(word: Any) -> str:
    """A name or a value for a line of the terminal: of sixty characters at most, none of which
    moves its cursor.

    >>> legible("a\\x1b[2J"), legible("b" * 100) == "b" * 59 + "\u2026"
    ('a?[2J', True)
    """
    text = "".join(c if c.isprintable() else "?" for c in str(word)[:61])
    return text if len(text) <= 60 else text[:59] + "\N{HORIZONTAL ELLIPSIS}"


def listed(names: Collection[Any], n: int = 10) -> str:
    """The first names or values, legibly, and how many more there are.

    >>> listed(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    return first_parts([legible(name) for name in names], n)


def first_parts(parts: Sequence[str], n: int) -> str:
    """The first parts of a sentence, and how many more there are."""
    return ", ".join(parts[:n]) + (f" and {len(parts) - n:,} more" if len(parts) > n else "")


def _range(values: np.ndarray, name: str) -> Column:
    """The middle for what is missing, and the ends that become 0 and 1, of values (N,)."""
    present = np.sort(values[~np.isnan(values)])
    if not len(present):
        raise UserError(NO_VALUE.format(name))
    last = len(present) - 1
    low, high = present[ceil(TAILS[0] * last)], present[floor(TAILS[1] * last)]
    if low >= high:  # of nearly constant ones all that there is
        low, high = present[0], present[-1]
    return {
        "low": float(low),
        "high": float(high),
        "least": float(present[0]),
        "largest": float(present[-1]),
        "middle": float(present[last // 2] + present[(last + 1) // 2]) / 2,
        "has_missing": len(present) < len(values),
    }


def _categories(cells: Cells, max_categories: int) -> Column:
    counts: dict[str, int] = {MISSING: cells.n_missing} if cells.n_missing else {}
    for word, n in zip(cells.words(), cells.counts.tolist(), strict=True):
        counts[word] = counts.get(word, 0) + n
    if not counts:  # lists, whose kind params.yaml says
        raise UserError(NO_VALUE.format(cells.name))
    order = sorted(counts, key=lambda word: (-counts[word], word))
    categories = order[:max_categories]
    if len(order) > max_categories:
        categories = [word for word in order[: max_categories - 1] if word != OTHER] + [OTHER]
    shares = np.array([counts.get(word, 0) for word in categories]) / len(cells.places)
    rest = max(0.0, 1 - float(shares.sum())) if OTHER in categories else 0.0
    chance = 1 - float((shares**2).sum()) - rest**2  # the variance of 0 and 1, of all together
    return {
        "categories": categories,
        "on": round(min(1.0, (VARIANCE / max(chance, 1e-6)) ** 0.5), 6),
    }


def _feature_names(column: Column) -> list[str]:
    name = column["name"]
    if column["kind"] == "categorical":
        return [f"{name}={word}" for word in column["categories"]]
    parts = [name]
    if column["kind"] == "text":
        parts = [f"{name} {i + 1}" for i in range(column["n_numbers"])]
    if column["kind"] == "date":
        parts += [f"{name} {wave} of {cycle}" for cycle in CYCLES for wave in ("sine", "cosine")]
    return [*parts, f"{name} is missing"] if column["has_missing"] else parts


def _number(cells: Cells, column: Column) -> tuple[np.ndarray, np.ndarray, str]:
    by_value = kinds.as_numbers(cells, column)
    numbers = cells.rows(by_value)
    scaled, beyond = _scaled(numbers, column)
    remarks = [_odd(cells, np.isnan(by_value), "are no numbers"), _new_gaps(numbers, column)]
    if np.abs(beyond).max() > FAR:
        remarks.append(_far(cells, by_value, column))
    return _with_missing([scaled], numbers, column), beyond, _joined(remarks)


def _date(cells: Cells, column: Column) -> tuple[np.ndarray, np.ndarray, str]:
    by_value = kinds.as_seconds(cells, column)
    real = _real(by_value, column)
    seconds = cells.rows(real)
    known = np.where(np.isnan(seconds), column["middle"], seconds)
    waves = [
        0.5 + WAVE * wave(2 * np.pi * known / period)
        for period in CYCLES.values()
        for wave in (np.sin, np.cos)
    ]
    scaled, beyond = _scaled(seconds, column)
    is_open = np.isnan(real) & ~np.isnan(by_value)
    remarks = [
        _odd(cells, np.isnan(by_value), "are no dates"),
        _odd(cells, is_open, 'are far from all others, stand for "no date"'),
        _new_gaps(seconds, column),
    ]
    if np.abs(beyond).max() > FAR:
        remarks.append(_far(cells, real, column))
    return _with_missing([scaled, *waves], seconds, column), beyond, _joined(remarks)


def _category(cells: Cells, column: Column) -> tuple[np.ndarray, float, str]:
    known = {word: i for i, word in enumerate(column["categories"])}
    words = cells.words()
    other = known.get(OTHER, -1)
    by_value = np.array([known.get(word, other) for word in words], int)
    features = np.zeros((len(cells.places), len(known)), np.float32)
    places = np.append(by_value, known.get(MISSING, other))[cells.places]
    rows = np.flatnonzero(places >= 0)
    features[rows, places[rows]] = column["on"]
    unseen = np.array([word not in known for word in words], bool)
    counts, n_gaps = cells.counts, 0 if MISSING in known else cells.n_missing
    if not unseen.any() and not n_gaps:
        return features, 0.0, ""
    examples = sorted({*words[unseen], *([MISSING] if n_gaps else [])})
    n = int(counts[unseen].sum()) + n_gaps
    return features, 0.0, f"{n:,} values of other categories, for example {listed(examples[:3])}"


def _text(
    arrays: Mapping[str, np.ndarray], cells: Cells, column: Column
) -> tuple[np.ndarray, float, str]:
    """Its components around 1/2, which stands for what is missing, too."""
    prefix = f"{column['arrays']}_"
    own = {key.removeprefix(prefix): arrays[key] for key in arrays if key.startswith(prefix)}
    if not own:
        raise UserError(
            f"schema/arrays.npz has nothing of column {column['name']!r}; run `dvc repro prepare`"
        )
    codes = texts.codes(cells.words(), own)
    is_odd = np.isnan(codes[:, 0])
    scaled = 0.5 + column["on"] * (np.where(is_odd[:, None], own["middle"], codes) - own["middle"])
    gap = np.full((1, codes.shape[1]), 0.5, np.float32)
    features = np.concatenate([scaled.clip(0, 1), gap])[cells.places]  # -1 is the last
    known = cells.rows(np.where(is_odd, np.nan, 1.0))
    remarks = [
        _odd(cells, is_odd, "share no three letters with others"),
        _new_gaps(known, column),
    ]
    return _with_missing([features], known, column), 0.0, _joined(remarks)


def _real(seconds: np.ndarray, column: Column) -> np.ndarray:
    """Seconds, NaN of open dates."""
    return np.where(dates.is_open(seconds, column["first"], column["last"]), np.nan, seconds)


def _scaled(values: np.ndarray, column: Column) -> tuple[np.ndarray, np.ndarray]:
    """From low to high as 0 to 1, cut there, what is missing as the middle; and what was cut."""
    present = np.where(np.isnan(values), column["middle"], values)
    with np.errstate(over="ignore"):
        unit = (present - column["low"]) / extent(column)
    inside = np.clip(unit, 0, (column["high"] - column["low"]) / extent(column))
    return inside, np.clip(unit - inside, -FARTHEST, FARTHEST)


def _with_missing(features: list[np.ndarray], values: np.ndarray, column: Column) -> np.ndarray:
    gaps = [MISSING_ON * np.isnan(values)] if column["has_missing"] else []
    return np.column_stack([*features, *gaps])


def _no_values(cells: Cells) -> str:
    """Of a column that in this file holds what no value is made of."""
    what = {"bytes": "bytes", "nested": "lists or mappings"}.get(cells.type)
    n = int((cells.places >= 0).sum())
    return f"{n:,} values are {what} and count as missing" if what and n else ""


def _odd(cells: Cells, is_odd: np.ndarray, what: str) -> str:
    if not is_odd.any():
        return ""
    n, examples = int(cells.counts[is_odd].sum()), cells.words()[is_odd]
    return f"{n:,} values {what} and count as missing, for example {listed(examples, 3)}"


def _far(cells: Cells, by_value: np.ndarray, column: Column) -> str:
    excess = np.maximum(by_value - column["high"], column["low"] - by_value) / extent(column)
    is_far = np.nan_to_num(excess) > FAR
    n = int(cells.counts[is_far].sum())
    worst = np.argsort(-np.where(is_far, excess, -1), kind="stable")[: min(3, is_far.sum())]
    usual = ends(column, "low", "high")
    return f"{n:,} values lie far beyond {usual}, for example {listed(cells.words()[worst], 3)}"


def _new_gaps(values: np.ndarray, column: Column) -> str:
    n = int(np.isnan(values).sum())
    if not n or column["has_missing"]:
        return ""
    return f"{n:,} gaps count as its middle, since the rows that were learned from have none"


def _joined(remarks: Sequence[str]) -> str:
    return "; ".join(remark for remark in remarks if remark)
