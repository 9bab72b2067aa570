"""What a message shows of a file: odd values cut short and in YAML's words, what is wrong with one,
and the name that was probably meant."""

from __future__ import annotations

import datetime
import difflib
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LONGEST = 200  # characters of a word or a key
LONGEST_VALUE = 300  # of a value of several
LISTS = {"tuple_type", "list_type", "set_type", "frozen_set_type"}
"""Types of pydantic's errors where a list of YAML is accepted."""
WORDS = {  # of YAML, for pydantic's types of errors
    **dict.fromkeys(LISTS, "input should be a list"),
    **dict.fromkeys(("dict_type", "mapping_type"), "input should be a mapping of keys"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "input should be true or false"),
    "none_required": "input should be null",
    "missing": "input should have one item more",
}
BE = "input should be "


class _Abbreviation(reprlib.Repr):
    """`repr` in the words of YAML and with bounds: a value of a few bytes of YAML may have millions
    of parts."""

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

    def repr1(self, x: Any, level: int) -> str:
        """Any value; those that Python writes in its own words as YAML does."""
        if x is None or isinstance(x, bool):
            return {None: "null", True: "true", False: "false"}[x]
        if isinstance(x, float) and not abs(x) < float("inf"):
            return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}[str(float(x))]
        if isinstance(x, datetime.date):  # a time of a day is one, too
            return x.isoformat()
        if isinstance(x, tuple | set | frozenset):
            return self.repr_list(list(x), level)
        return super().repr1(x, level)


_ABBREVIATION = _Abbreviation()


def abbreviated(value: Any) -> str:
    """A value as YAML has it, cut short where it is long.

    >>> abbreviated((1, "a", None, True)), len(abbreviated(["a" * 1000] * 1000))
    ("[1, 'a', null, true]", 303)
    """
    text = _ABBREVIATION.repr(value)
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "..."


def refusal(errors: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> str:
    """Key, problem and value of the first of pydantic's errors, in the words of YAML.

    Where one of several types is accepted, pydantic has an error for each, with the type as if it
    were a key; those that got as far into the value are all said.

    Args:
        errors: of one `ValidationError`.
        values: what was refused, by key.

    >>> error = {"type": "tuple_type", "loc": ("ignore",), "input": "a", "msg": ""}
    >>> refusal([error], {"ignore": "a"})
    "ignore: input should be a list, like ['a'], found 'a'"
    """
    if errors[0]["type"] == "value_error":  # a cross-check of our own, already a sentence
        return str(errors[0]["ctx"]["error"])
    same_key = [error for error in errors if error["loc"][:1] == errors[0]["loc"][:1]]
    places = [_keys(error["loc"], values) for error in same_key]
    place = max(places, key=len)
    here = [error for error, keys in zip(same_key, places, strict=True) if keys == place]
    problems = list(dict.fromkeys(map(_problem, here)))
    first = problems[0]
    others = [problem.removeprefix(BE) for problem in problems[1:]]
    text = " or ".join([", ".join([first, *others[:-1]]), *others[-1:]])
    return f"{'.'.join(place)}: {text}, found {abbreviated(here[0]['input'])}"


def _keys(loc: Sequence[str | int], value: Any) -> list[str]:
    """The keys and places in lists of where an error is; other parts are types."""
    keys = []
    for part in loc:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list | tuple) and isinstance(part, int):
            value = value[part] if part < len(value) else None
        else:
            continue
        keys.append(str(part))
    return keys


def _problem(error: Mapping[str, Any]) -> str:
    """What is wrong, without key and value."""
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    if kind in ("too_short", "too_long"):
        is_short = kind == "too_short"
        n = context["min_length" if is_short else "max_length"]
        return f"input should have at {'least' if is_short else 'most'} {plural(n, 'item')}"
    if kind in LISTS and isinstance(value, str | int | float):
        return f"{WORDS[kind]}, like [{abbreviated(value)}]"
    text = str(error["msg"])
    return WORDS.get(kind, text[:1].lower() + text[1:])


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
