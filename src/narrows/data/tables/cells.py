"""A column by its different values, so that whatever is read off a value is read once."""

from __future__ import annotations

import functools
from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}  # of Parquet's times, in seconds
DAY_S = 86_400.0
Type = Literal["words", "numbers", "times", "nested", "bytes"]


@dataclass(frozen=True)
class Cells:
    """One column of a table."""

    name: str
    """Name of the column."""
    type: Type
    """Text, numbers, seconds since 1970 as float64; or lists, mappings and bytes, of which nothing
    is made."""
    values: np.ndarray
    """Different values (V,), no gap among them; empty of what nothing is made of."""
    places: np.ndarray
    """Place in `values` of every row (N,), -1 in gaps."""
    parsed: dict[Hashable, np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    """What was read off the values (V,), by how: it is read once to decide, and to encode."""

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """Number of rows (V,) of each value."""
        n = len(self.values)
        return np.bincount(self.places[self.places >= 0], minlength=n)[:n]

    @property
    def n_missing(self) -> int:
        """Number of gaps."""
        return int((self.places < 0).sum())

    def rows(self, by_value: np.ndarray) -> np.ndarray:
        """For every row (N,) what there is for every value (V,); NaN in gaps, or None.

        >>> cells = Cells("n", "numbers", np.array([5.0]), np.array([0, -1, 0]))
        >>> cells.rows(cells.values).tolist()
        [5.0, nan, 5.0]
        """
        gap = np.array([np.nan if by_value.dtype.kind == "f" else None], by_value.dtype)
        return np.concatenate([by_value, gap])[self.places]  # -1 is the last

    def words(self) -> np.ndarray:
        """Text (V,) of every value: whole numbers without a point, times as ISO 8601.

        The same code is the same word in every file: a column of whole numbers becomes 1.0, 2.0 in
        a file where one of them is missing.
        """
        if self.type == "times":
            return np.array([_iso(value) for value in self.values], object)
        values = self.values
        if values.dtype == np.float32:  # 0.1, and not what 64 bits make of it
            values = values.astype(str).astype(np.float64)
        return np.array([_word(value) for value in values.tolist()], object)


def cells(name: str, column: pa.ChunkedArray, missing: Collection[str] = ()) -> Cells:
    """A column of text or of Parquet; words are without spaces around them, and empty ones gaps.

    Args:
        missing: words and numbers that are gaps, too.
    """
    import pyarrow.compute as pc

    kind, column, unit_s = _simple(column)
    if kind in ("nested", "bytes"):
        is_gap = column.is_null().to_numpy()
        return Cells(name, kind, np.empty(0, object), np.where(is_gap, -1, 0))
    if kind == "words":
        column = pc.utf8_trim_whitespace(column)
    encoded = column.dictionary_encode().unify_dictionaries().combine_chunks()
    values = encoded.dictionary.to_numpy(zero_copy_only=False)
    places = encoded.indices.fill_null(-1).to_numpy()
    if kind == "words":
        is_gap = values == ""
        if missing:
            gaps = {_word(word) for word in missing}
            is_gap |= np.array([_word(value) in gaps for value in values], bool)
    elif values.dtype.kind == "f":
        is_gap = np.isnan(values) | np.isin(values, _numbers(missing))
    else:
        is_gap = np.isin(values, _numbers(missing))
    if unit_s:
        values = values * unit_s
    if is_gap.any():
        values = values[~is_gap]
        places = np.append(np.where(is_gap, -1, np.cumsum(~is_gap) - 1), -1)[places]
    return Cells(name, kind, values, places)


def _simple(column: pa.ChunkedArray) -> tuple[Type, pa.ChunkedArray, float | None]:
    """The column as text, integers or floats, and of times what one of them is in seconds."""
    import pyarrow as pa
    from pyarrow import types

    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([c.storage for c in column.chunks], column.type.storage_type)
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if types.is_boolean(kind) or types.is_null(kind):
        texts = [None if value is None else str(value) for value in column.to_pylist()]
        return "words", pa.chunked_array([pa.array(texts, pa.large_string())]), None
    if types.is_decimal(kind):
        return "numbers", column.cast(pa.float64(), safe=False), None
    if types.is_float16(kind):
        return "numbers", column.cast(pa.float32()), None
    if types.is_integer(kind) or types.is_floating(kind):
        return "numbers", column, None
    if types.is_date32(kind):
        return "times", column.cast(pa.int32()), DAY_S
    if types.is_date64(kind):
        return "times", column.cast(pa.int64()), UNITS["ms"]
    if types.is_timestamp(kind):
        return "times", column.cast(pa.int64()), UNITS[kind.unit]
    if types.is_time(kind) or types.is_duration(kind):
        width = pa.int32() if types.is_time32(kind) else pa.int64()
        return "numbers", column.cast(width), UNITS[kind.unit]
    try:
        if types.is_fixed_size_binary(kind):
            column = column.cast(pa.binary())
        return "words", column.cast(pa.large_string()), None
    except pa.ArrowInvalid:  # bytes that are no UTF-8
        return "bytes", column, None
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return "nested", column, None


def _numbers(words: Collection[str]) -> list[float]:
    numbers = []
    for word in words:
        try:
            numbers.append(float(word))
        except ValueError:
            continue
    return numbers


def _word(value: str | int | float) -> str:
    """The shortest text of a value.

    >>> _word("1.0"), _word(-0.0), _word("007"), _word(0.5), _word(2**63)
    ('1', '0', '007', '0.5', '9223372036854775808')
    """
    if isinstance(value, float):
        return str(int(value) if value.is_integer() else value)
    text = str(value)
    whole, point, part = text.partition(".")
    is_whole = point and part and not part.strip("0") and whole.lstrip("+-").isdecimal()
    return whole if is_whole else text


def _iso(seconds: float) -> str:
    """A time as ISO 8601, without the time of the day at midnight.

    >>> _iso(0.0), _iso(253402214400.0), _iso(60.0)
    ('1970-01-01', '9999-12-31', '1970-01-01T00:01:00')
    """
    unit = "D" if seconds % DAY_S == 0 else "s"
    return str(np.datetime64(int(seconds), "s").astype(f"datetime64[{unit}]"))
