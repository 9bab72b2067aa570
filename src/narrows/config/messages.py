"""What a message shows of a file: odd values cut short, and the name that was probably meant."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable
from typing import Any

LONGEST = 200  # characters of a word or a key
LONGEST_VALUE = 300  # of a value of several


class _Abbreviation(reprlib.Repr):
    """`repr` with bounds: a value of a few bytes of YAML may have millions of parts."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxtuple, self.maxdict = 4, 10, 10, 10
        self.maxstring = self.maxlong = self.maxother = LONGEST

    def repr_int(self, x: int, level: int) -> str:
        """A whole number, or how long it is."""
        try:
            return super().repr_int(x, level)
        except ValueError:  # Python writes out no more than 4,300 digits
            return f"a number of {x.bit_length()} bits"


_ABBREVIATION = _Abbreviation()


def abbreviated(value: Any) -> str:
    """A value as Python writes it, cut short where it is long.

    >>> abbreviated([1, "a"]), len(abbreviated(["a" * 1000] * 1000))
    ("[1, 'a']", 303)
    """
    text = _ABBREVIATION.repr(value)
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "..."


def cut(key: Any) -> str:
    """A key of a file without quotes, cut short where it is long.

    >>> cut("epochs"), len(cut("a" * 1000))
    ('epochs', 203)
    """
    text = key if isinstance(key, str) else abbreviated(key)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def plural(n: int, noun: str) -> str:
    """A number of things, of which one is said as one.

    >>> plural(1, "row"), plural(2000, "row"), plural(0, "search")
    ('1 row', '2,000 rows', '0 searches')
    """
    ending = "" if n == 1 else "es" if noun.endswith(("ch", "s", "x")) else "s"
    return f"{n:,} {noun}{ending}"


def nearest(key: Any, known: Iterable[str]) -> str:
    """The known name that a misspelt one is like, as an aside; nothing where there is none.

    >>> nearest("epoch", ["epochs", "batch_size"])
    " (did you mean 'epochs'?)"
    """
    close = difflib.get_close_matches(cut(key), list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
