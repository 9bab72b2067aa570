"""Dates in text and in Parquet, of any year, as seconds since 1970."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from narrows.data.tables.cells import DAY_S, Cells

ISO = "ISO8601"
DAYS = (
    *("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%m-%Y"),
    *("%d.%m.%y", "%m/%d/%y", "%d/%m/%y"),
)
FORMATS = (ISO, *(f"{day}{time}" for day in DAYS for time in ("", " %H:%M", " %H:%M:%S")))
DIGITS = {"%Y": "[0-9]{4}", "%y": "[0-9]{2}"} | dict.fromkeys(
    ("%d", "%m", "%H", "%M", "%S"), "[0-9]{1,2}"
)
YEAR_S = 365.2425 * DAY_S
FAR_S = 50 * YEAR_S
N_HEAD = 1000  # different words that say which formats are looked at
SINCE = " since "  # in a format with years of two digits: the first of the hundred that are meant
USUAL = 1969  # the first of them where nothing else is said, as in POSIX
EMPTY_YEARS = 20  # between years of birth and of entry, say, that are the least to go by
NO_YEAR = 9000  # of the calendars of programs: 9999-09-09 is no date, either


def of(cells: Cells, name: str | None) -> np.ndarray:
    """float64 (V,) of the different values of a column, seconds since 1970, NaN of what is no date
    in this format; times of Parquet need none."""
    if name not in cells.parsed:
        if cells.type == "words" and name:
            cells.parsed[name] = parse(cells.values, name)
        else:
            values = cells.values.astype(np.float64) if cells.type == "times" else np.nan
            cells.parsed[name] = np.broadcast_to(values, len(cells.values))
    return cells.parsed[name]


def best_format(cells: Cells) -> tuple[str | None, list[str]]:
    """The format in which most rows of a column are dates, and formats that fit as well.

    Returns:
        None for a format where no word is a date.
    """
    if cells.type != "words":
        return ISO, []
    best: str | None = None
    also: list[str] = []
    most = 0
    head = cells.values[:N_HEAD]
    for name in FORMATS:
        if not any(map(_PATTERNS[name].fullmatch, head)):
            continue
        n = int(cells.counts[~np.isnan(of(cells, name))].sum())
        if n > most:
            best, also, most = name, [], n
        elif n and n == most:
            also.append(name)
    if best is not None and "%y" in best:
        best += _since(of(cells, best))
    return best, also


def parse(words: np.ndarray, name: str) -> np.ndarray:
    """float64 (V,), NaN of words that are no dates in this format; digits alone are no date.

    >>> parse(np.array(["9999-12-31", "2024-02-30", "8010"], object), "ISO8601").tolist()
    [253402214400.0, nan, nan]
    """
    import pandas as pd

    name, _, first = name.partition(SINCE)
    fits = np.array([_PATTERNS[name].fullmatch(word) is not None for word in words], bool)
    seconds = np.full(len(words), np.nan)
    if fits.any():
        dates = pd.to_datetime(words[fits], format=name, errors="coerce", utc=True).as_unit("us")
        if first:
            before = dates - pd.DateOffset(years=100)
            dates = dates.where(dates.year < int(first) + 100, before)
        seconds[fits] = np.where(dates.isna(), np.nan, dates.asi8 / 1e6)
    return seconds


def _since(seconds: np.ndarray) -> str:
    """What a format with years of two digits gets where the column says that other hundred years
    are meant than 1969 to 2068, as one of birthdays from 1940 to 1999 does: it would have no year
    for a long time in the midst, 2000 to 2039.

    >>> days = np.array(["1985-05-01", "1999-01-01", "2040-03-01", "2068-01-01"], "datetime64[s]")
    >>> _since(days.astype(float))
    ' since 1920'
    """
    present = seconds[~np.isnan(seconds)].astype("datetime64[s]").astype("datetime64[Y]")
    years = np.unique(present.astype(int) + 1970)
    gaps = np.diff(years)
    if not len(gaps) or gaps.max() <= max(EMPTY_YEARS, 100 - (years[-1] - years[0])):
        return ""
    last, following = years[gaps.argmax()], years[gaps.argmax() + 1]
    return f"{SINCE}{(last + following + 1) // 2 - 100}"


def ends(seconds: np.ndarray) -> tuple[float, float]:
    """The first and the last of some dates (V,), less open ones.

    Dates with more than fifty years between them are apart; of such groups the one is real that
    holds more than usual words for "no date", then that with the most dates, then that nearest to
    1970.

    >>> first, last = ends(np.array([0, 30 * DAY_S, 253402214400]))
    >>> first, last / DAY_S
    (0.0, 30.0)
    """
    ascending = np.sort(seconds)
    groups = np.split(np.arange(len(ascending)), np.flatnonzero(np.diff(ascending) > FAR_S) + 1)
    usual = max(
        groups,
        key=lambda g: (not _is_conventional(ascending[g]).all(), len(g), -abs(ascending[g]).min()),
    )
    first, last = float(ascending[usual[0]]), float(ascending[usual[-1]])
    real = ascending[~is_open(ascending, first, last)]
    return float(real[0]), float(real[-1])


def is_open(seconds: np.ndarray, first: float, last: float) -> np.ndarray:
    """Whether dates stand for "no date", as 9999-12-31, 0001-01-01 or 1900-01-01 do in databases:
    the first or the last day of a year, or any after the year 9000, fifty years from all others.

    Args:
        seconds: dates, NaN for none.
        first: first of the dates that belong together.
        last: last of them.
    """
    is_far = (seconds < first - FAR_S) | (seconds > last + FAR_S)
    if not is_far.any():
        return is_far
    where = np.flatnonzero(is_far)
    is_far[where] = _is_conventional(seconds[where])
    return is_far


def _is_conventional(seconds: np.ndarray) -> np.ndarray:
    days = np.floor(seconds).astype("datetime64[s]").astype("datetime64[D]")
    years = days.astype("datetime64[Y]")
    in_year = (days - years).astype(int)
    to_next = ((years + 1).astype("datetime64[D]") - days).astype(int)
    is_end = (in_year == 0) | (to_next <= 2)  # spreadsheets begin with 1899-12-30
    return is_end | (years.astype(int) + 1970 >= NO_YEAR)


def described(name: str) -> str:
    """A format in words.

    >>> described("%d.%m.%y %H:%M"), described("ISO8601")[:3]
    ('day.month.year (two digits: 1969 to 2068) hour:minute', 'ISO')
    >>> described("%d.%m.%y since 1920")
    'day.month.year (two digits: 1920 to 2019)'
    """
    if name == ISO:
        return "ISO 8601"
    name, _, first = name.partition(SINCE)
    start = int(first or USUAL)
    words = {"%d": "day", "%m": "month", "%Y": "year", "%H": "hour", "%M": "minute", "%S": "second"}
    words["%y"] = f"year (two digits: {start} to {start + 99})"
    return re.sub("%.", lambda match: words[match[0]], name)


def _patterns(names: Sequence[str]) -> dict[str, re.Pattern[str]]:
    patterns = {
        name: re.compile(re.sub("%.", lambda m: DIGITS[m[0]], re.escape(name)))
        for name in names
        if name != ISO
    }
    return patterns | {ISO: re.compile(r"-?[0-9]{4}-[0-9]{1,2}(-[0-9]{1,2}([T ][0-9].*)?)?")}


_PATTERNS = _patterns(FORMATS)
