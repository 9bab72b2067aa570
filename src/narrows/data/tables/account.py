"""What was assumed of a table, in sentences: a few for the terminal, and one for every column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from narrows.config.messages import plural
from narrows.data.tables import dates, texts
from narrows.data.tables.columns import Column, ends, first_parts, legible, listed
from narrows.data.tables.kinds import USED

N_NAMED, N_LEFT = 6, 10  # columns that a line of the terminal names: used ones, and others


def summary(columns: Sequence[Column]) -> str:
    """Kinds of columns as one line.

    >>> column = {"name": "b", "kind": "identifier", "why": "words that all differ"}
    >>> summary([{"name": "a", "kind": "numeric"}, column])
    '2 columns: 1 numeric; left out: b (identifier)'
    """
    used = [column["kind"] for column in columns if column["kind"] in USED]
    counts = [f"{used.count(kind)} {kind}" for kind in USED if kind in used]
    left = [f"{legible(c['name'])} ({c['kind']})" for c in columns if c["kind"] not in USED]
    text = f"{plural(len(columns), 'column')}: {', '.join(counts) or 'none to learn from'}"
    return text + (f"; left out: {first_parts(left, N_LEFT)}" if left else "")


def unread(columns: Sequence[Column]) -> list[str]:
    """A line on texts that need a package to be read; none where there is no such column."""
    names = [column["name"] for column in columns if column["why"] == texts.NEEDS]
    line = f"{listed(names, N_LEFT)}: {texts.NEEDS}; then run `dvc repro -f prepare`"
    return [line] if names else []


def by_kind(columns: Sequence[Column]) -> list[str]:
    """A line for each kind that is used: its columns, with what their values are."""
    lines = []
    for kind in USED:
        of_kind = [f"{legible(c['name'])} ({_content(c)})" for c in columns if c["kind"] == kind]
        if of_kind:
            lines.append(f"{kind}: {first_parts(of_kind, N_NAMED)}")
    return lines


def by_column(columns: Sequence[Column], remarks: Mapping[str, str]) -> list[str]:
    """A line for every column: its kind and why, its values, its gaps, and what had to be bent.

    Args:
        remarks: sentences by the name of the column.
    """
    lines = []
    for column in columns:
        kind = column["kind"] if column["kind"] in USED else f"left out, {column['kind']}"
        parts = [
            f"column {legible(column['name'])!r}: {kind}"
            + (f" ({column['why']})" if column["why"] else ""),
            _content(column),
            plural(column["n_missing"], "gap") if column["n_missing"] else "",
            remarks.get(column["name"], ""),
        ]
        lines.append("; ".join(part for part in parts if part))
    return lines


def named(remarks: Mapping[str, str]) -> list[str]:
    """Sentences on columns that begin with the column."""
    return [f"column {legible(name)!r}: {remark}" for name, remark in remarks.items()]


def _content(column: Column) -> str:
    """What the values of a column that is used are."""
    if column["kind"] == "categorical":
        return f"{len(column['categories'])}: {listed(column['categories'], 3)}"
    if column["kind"] == "numeric":
        text = ends(column, "low", "high")
        if (column["least"], column["largest"]) != (column["low"], column["high"]):
            text += f", in all {ends(column, 'least', 'largest')}"
        grouped = column["notation"]["thousands"]
        return text + (f", {grouped!r} between thousands" if grouped else "")
    if column["kind"] == "text":
        return f"{column['n_different']:,} different ones"
    if column["kind"] == "date":
        text = f"{ends(column, 'low', 'high')}, as {dates.described(column['format'])}"
        if column["other_formats"]:
            others = " or ".join(map(dates.described, column["other_formats"]))
            text += f", though {others} fits as well"
        return text
    return ""
