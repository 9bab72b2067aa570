"""Whether the names of columns look like names, or like the first row of a table without any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from narrows.data.tables import dates, numbers
from narrows.data.tables.cells import cells
from narrows.data.tables.numbers import Notation

N_SHOWN = 5
EVEN = 1.2  # the longest step over the shortest: months are 28 to 31 days


def remark(names: Sequence[str], decimal: str) -> str:
    """A sentence where names are numbers or dates; empty where none is, or where they go up evenly,
    as years, months or wavelengths do that name columns.

    Args:
        names: of the columns, as the file has them.
        decimal: decimal point.

    >>> remark(["5.1", "2024-05-01", "setosa"], ".").partition("; ")[0]
    'the first line looks like data, not like names of columns: 5.1, 2024-05-01'
    >>> remark(["country", "2019", "2020"], "."), remark(["0", "1", "2"], ".")
    ('', '')
    """
    import pyarrow as pa

    words = cells("", pa.chunked_array([pa.array(names, pa.large_string())]))
    read = (
        numbers.of(words, Notation(decimal, "")),
        dates.of(words, dates.best_format(words)[0]),
    )
    by_row = [values for values in map(words.rows, read) if not _are_steps(values)]
    is_value = np.any(~np.isnan(by_row), axis=0) if by_row else np.zeros(len(names), bool)
    odd = [name.strip()[:20] for name, is_odd in zip(names, is_value, strict=True) if is_odd]
    if not odd:
        return ""
    more = f" and {len(odd) - N_SHOWN:,} more" if len(odd) > N_SHOWN else ""
    return (
        f"the first line looks like data, not like names of columns: {', '.join(odd[:N_SHOWN])}"
        f"{more}; if it is data, write a line of names above it"
    )


def _are_steps(values: np.ndarray) -> bool:
    """Whether those that are no gaps count up, or are at least three that go up evenly."""
    steps = np.diff(values[~np.isnan(values)])
    if not len(steps) or steps.min() <= 0:
        return False
    return bool((steps == 1).all() or (len(steps) > 1 and steps.max() <= EVEN * steps.min()))
