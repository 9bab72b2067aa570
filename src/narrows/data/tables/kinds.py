"""What a column of a table is: decided by nine in ten of its cells, not by all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from narrows.data.tables import dates, numbers, texts
from narrows.data.tables.cells import Cells
from narrows.data.tables.numbers import Notation
from narrows.data.tables.reading import Layout

USED = ("numeric", "categorical", "date", "text")
NEARLY_ALL = 0.9
CODES = 0.01  # share of cells with a zero in front from which digits are codes and no numbers
MIN_ROWS = 20  # in fewer ones, values that all differ are no sign of an identifier
MIN_EVEN = 200  # rows from which an even spread is one; measured values lie closer in the middle
IDENTIFIERS = frozenset(
    """
    id ids uid guid uuid oid pk key nr no num number nummer index idx unnamed account konto row
    rowid rownum serial
    """.split()
)
"""Words in the name of a column of whole numbers that name rows or things."""
LETTERS = re.compile(r"[^\W\d_]{2}")
N_WORDS = 6  # of a text: names and headlines of fewer share too little to tell rows apart
LEFT_BY_TOOLS = re.compile(r"Unnamed: 0|__index_level_\d+__|index|level_0")


class Kind(NamedTuple):
    """What a column is, and why."""

    name: str
    """One of `USED`, or why the column is left out."""
    why: str
    """What speaks for it, where the name does not say it all."""


def decide(cells: Cells, layout: Layout, max_categories: int) -> tuple[Kind, dict[str, Any]]:
    """The kind of a column, and how its values are read: `notation` or `format`."""
    n = int((cells.places >= 0).sum())
    if n == 0:
        return Kind("empty", "no value"), {}
    if cells.type in ("nested", "bytes"):
        return Kind(cells.type, "no text, number or date"), {}
    if len(cells.values) == 1 and n == len(cells.places):
        return Kind("constant", f"always {str(cells.words()[0])[:60]}"), {}
    if cells.type == "times":
        return Kind("date", ""), reading(cells, "date", layout)
    if cells.type == "numbers":
        return _of_numbers(cells, cells.values, max_categories), reading(cells, "numeric", layout)
    counts = np.where(numbers.is_mark(cells.values), 0, cells.counts)
    least = max(1.0, NEARLY_ALL * counts.sum())
    rule = reading(cells, "numeric", layout)
    values = as_numbers(cells, rule)
    if counts[~np.isnan(values)].sum() >= least:
        if counts[numbers.is_code(cells.values)].sum() <= CODES * counts.sum():
            return _of_numbers(cells, values, max_categories), rule
        return _of_words(cells, max_categories, "codes with a zero in front"), {}
    rule = reading(cells, "date", layout)
    if counts[~np.isnan(as_seconds(cells, rule))].sum() >= least:
        return Kind("date", ""), rule
    return _of_words(cells, max_categories, _hint(cells, counts, layout)), {}


def reading(cells: Cells, kind: str, layout: Layout) -> dict[str, Any]:
    """How numbers or dates are read off text, here and in new files; empty of other kinds."""
    if kind == "numeric":
        notation = numbers.best_notation(cells, layout.decimal, layout.thousands)
        return {"notation": notation._asdict()}
    if kind == "date":
        name, also = dates.best_format(cells)
        return {"format": name, "other_formats": also}
    return {}


def as_numbers(cells: Cells, rule: Mapping[str, Any]) -> np.ndarray:
    """float64 (V,) of the different values, NaN of what is no number or not finite."""
    return numbers.of(cells, Notation(**rule["notation"]))


def as_seconds(cells: Cells, rule: Mapping[str, Any]) -> np.ndarray:
    """float64 (V,) of the different values, seconds since 1970, NaN of what is no date."""
    return dates.of(cells, rule["format"])


def _of_numbers(cells: Cells, values: np.ndarray, max_categories: int) -> Kind:
    """Numbers that are measured, or that name rows."""
    present, n = values[np.isfinite(values)], int(cells.counts[np.isfinite(values)].sum())
    if not len(present) or (present % 1 != 0).any():
        return Kind("numeric", "")
    n_different = len(present)
    if LEFT_BY_TOOLS.fullmatch(cells.name) and n_different == n:
        return Kind("identifier", "row numbers that a tool left")
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cells.name).lower()
    words = [word for word in re.split(r"[^a-zäöüß]+", name) if word]
    if n >= MIN_ROWS and n_different == n:
        if int(present.max()) - int(present.min()) == n - 1:
            return Kind("identifier", "whole numbers that count up")
        if IDENTIFIERS & set(words):
            return Kind("identifier", "whole numbers that all differ, named like a key")
    if words and words[-1] in IDENTIFIERS and n_different > max(max_categories, n / 5):
        return Kind("identifier", "many whole numbers, named like a key")
    if n >= MIN_EVEN and n_different >= 0.99 * n and _is_even(present):
        return Kind("identifier", "whole numbers that nearly all differ, spread evenly")
    return Kind("numeric", "")


def _is_even(values: np.ndarray) -> bool:
    """Whether different values lie as even as chance may put them between the least and the
    largest: the test of Kolmogorov and Smirnov, at 1 %."""
    ascending = np.sort(values.astype(np.float64))
    shares = (ascending - ascending[0]) / (ascending[-1] - ascending[0])
    n = len(shares)
    return bool(np.abs(shares - (np.arange(n) + 0.5) / n).max() < 1.63 / n**0.5)


def _of_words(cells: Cells, max_categories: int, why: str) -> Kind:
    n, n_different = int((cells.places >= 0).sum()), len(cells.values)
    if not why and n >= MIN_ROWS and n_different > max_categories and _is_text(cells):
        if texts.can_be_learned():
            return Kind("text", "")
        why = texts.NEEDS
    if n >= MIN_ROWS and n_different == n:
        return Kind("identifier", why or "words that all differ")
    if n >= MIN_ROWS and n_different > max(n / 2, max_categories):
        return Kind("almost all different", why)
    return Kind("categorical", why)


def _is_text(cells: Cells) -> bool:
    """Whether half of the rows have `N_WORDS` words or more, not counting those with less than two
    letters in a row."""
    is_text = np.array(
        [
            sum(bool(LETTERS.search(word)) for word in value.split()) >= N_WORDS
            for value in cells.values
        ],
        bool,
    )
    return bool(2 * cells.counts[is_text].sum() >= cells.counts.sum())


def _hint(cells: Cells, counts: np.ndarray, layout: Layout) -> str:
    """What a column of words may be that was meant as numbers."""
    n_present = counts.sum()
    other = Notation("," if layout.decimal == "." else ".", "")
    if 0 < NEARLY_ALL * n_present <= counts[~np.isnan(numbers.of(cells, other))].sum():
        return "numbers with another decimal point: set dataset.decimal"
    own = Notation(layout.decimal, layout.thousands or "")
    if 0 < 0.5 * n_present <= counts[~np.isnan(numbers.of(cells, own))].sum():
        return "in part numbers"
    return ""
