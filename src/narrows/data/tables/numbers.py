"""Numbers in text, as people and programs write them: 1234.5, 1,234.50, 12 %, € 5, 1'000, 3e-4."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

import numpy as np

from narrows.data.tables.cells import Cells

MARKS = frozenset(
    """
    ? - -- . na n/a n/a. n.a. n.a #n/a <na> nan null none nil \\n unknown unbekannt missing k.a. k.a
    #value! #ref! #div/0! #num! #name? #null! inf -inf +inf infinity
    """.split()
) | {"", "\N{EN DASH}", "\N{EM DASH}", "k. a.", "not available", "keine angabe"}
"""Words for a gap, in small letters, that say nothing against a column of numbers or dates."""
GROUPS = " '\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{RIGHT SINGLE QUOTATION MARK}"
CURRENCIES = "€$£¥₹"
SHARES = {"%": 0.01, "\N{PER MILLE SIGN}": 0.001}


class Notation(NamedTuple):
    """How the numbers of a column are written."""

    decimal: str
    """Decimal point."""
    thousands: str
    """What groups their digits beside spaces and apostrophes; empty for nothing."""


def is_mark(words: np.ndarray) -> np.ndarray:
    """Whether words (V,) are usual ones for a gap.

    >>> is_mark(np.array(["?", "N/A", "0"], object)).tolist()
    [True, True, False]
    """
    return np.array([word.casefold() in MARKS for word in words], bool)


def parse(words: np.ndarray, notation: Notation) -> np.ndarray:
    """float64 (V,) of words (V,), NaN of what is no number or not finite; shares as they count.

    >>> words = np.array(["1,234.50", "12 %", "-3e2", "0,5", "?"], object)
    >>> parse(words, Notation(".", ",")).tolist()
    [1234.5, 0.12, -300.0, nan, nan]
    """
    import pandas as pd

    plain = words
    if notation.decimal != ".":
        plain = np.array([_with_point(word, notation.decimal) for word in words], object)
    numbers = np.asarray(pd.to_numeric(plain, errors="coerce"), np.float64)
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    for i in np.flatnonzero(np.isnan(numbers)):
        numbers[i] = _parse(words[i], notation)
    return numbers


def of(cells: Cells, notation: Notation) -> np.ndarray:
    """float64 (V,) of the different values of a column, NaN of what is no number or not finite."""
    if notation not in cells.parsed:
        if cells.type == "words":
            cells.parsed[notation] = parse(cells.values, notation)
        else:
            values = cells.values.astype(np.float64) if cells.type == "numbers" else np.nan
            finite = np.where(np.isfinite(values), values, np.nan)
            cells.parsed[notation] = np.broadcast_to(finite, len(cells.values))
    return cells.parsed[notation]


def best_notation(cells: Cells, decimal: str, thousands: str | None) -> Notation:
    """The notation by which most rows of a column are numbers.

    Args:
        thousands: what groups digits; None where a comma or a point may do it, whichever is no
            decimal point, if the column has more numbers so.
    """
    notation = Notation(decimal, thousands or "")
    if cells.type != "words" or thousands is not None:
        return notation
    is_number = ~np.isnan(of(cells, notation))
    grouped = Notation(decimal, "," if decimal == "." else ".")
    if any(grouped.thousands in word for word in cells.values[~is_number]):
        if n_rows(cells, ~np.isnan(of(cells, grouped))) > n_rows(cells, is_number):
            return grouped
    return notation


def n_rows(cells: Cells, chosen: np.ndarray) -> int:
    """Number of rows whose values are chosen (V,)."""
    return int(cells.counts[chosen].sum())


def is_code(words: np.ndarray) -> np.ndarray:
    """Whether words (V,) are digits with a zero in front, which a number would lose.

    >>> is_code(np.array(["007", "0", "0.5", "70"], object)).tolist()
    [True, False, False, False]
    """
    return np.array([len(w) > 1 and w[0] == "0" and w.isdecimal() for w in words], bool)


def _with_point(word: str, decimal: str) -> str:
    return "" if "." in word else word.replace(decimal, ".")


def _parse(word: str, notation: Notation) -> float:
    match = _pattern(notation).fullmatch(word)
    if not match or not (match["whole"] or match["part"]):
        return np.nan
    digits = match["whole"].replace(match["group"] or " ", "") or "0"
    number = float(f"{digits}.{match['part'] or 0}{match['power'] or ''}")
    number *= SHARES.get(match["unit"], 1.0) * (
        -1 if match["sign"] in ("-", "\N{MINUS SIGN}") else 1
    )
    return number if np.isfinite(number) else np.nan


@functools.cache
def _pattern(notation: Notation) -> re.Pattern[str]:
    groups = re.escape(notation.thousands + GROUPS)
    money, units = re.escape(CURRENCIES), re.escape(CURRENCIES + "".join(SHARES))
    return re.compile(
        rf"(?P<sign>[-+\N{{MINUS SIGN}}]?)[{money}]?\s?"
        rf"(?P<whole>[1-9][0-9]{{0,2}}(?P<group>[{groups}])[0-9]{{3}}(?:(?P=group)[0-9]{{3}})*"
        rf"|[0-9]*)"
        rf"(?:{re.escape(notation.decimal)}(?P<part>[0-9]*))?"
        rf"(?P<power>[eE][-+]?[0-9]{{1,4}})?\s?(?P<unit>[{units}]?)"
    )
