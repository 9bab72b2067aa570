"""`like: <row>`: a row of params.yaml says only what differs from another row of its section.

Rows are written out before anything is checked, so a row that inherits is checked as any other.
docs/adr/0027 says why these are not YAML's merge keys.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from narrows.config import plugins
from narrows.config.messages import abbreviated, cut, nearest
from narrows.config.yaml_file import MAX_SIZE, VALUE_SIZE
from narrows.errors import UserError

LIKE = "like"
FAMILIES = ("pretrained", "baselines", "autoencoders")
"""Sections whose rows are plug-ins."""
SECTIONS = (*FAMILIES, "searches", "clusterings", "deep_clusterings")
"""Sections of rows."""
ROW = re.compile(rf"({'|'.join(SECTIONS)})\.([^.:]+)[.:]")  # how a message about a row begins


def written_out(params: Any) -> Any:
    """The content of a params.yaml with everything that rows inherit, and without `like`.

    A row comes after the one that it is like, so that what is wrong is found where it was written.
    One of another kind inherits what all kinds have, and no option of that kind's own.

    Raises:
        UserError: a row is like one that is not in its section or, by way of others, like itself;
            or the file is too large when it is written out.
    """
    if not isinstance(params, dict):
        return params
    sections = {key: params[key] for key in SECTIONS if isinstance(params.get(key), dict)}
    rows = {key: _written_out(key, section, sections) for key, section in sections.items()}
    return {**params, **rows}


def merged(base: Any, changes: Any) -> Any:
    """A value with changes at any depth; what the changes do not say stays.

    A plug-in of another name inherits no options: they would mean something else. A list is
    replaced as a whole, and null is a value like any other.

    >>> merged({"epochs": 30, "optimizer": {"name": "adam", "lr": 0.1}}, {"epochs": 5})
    {'epochs': 5, 'optimizer': {'name': 'adam', 'lr': 0.1}}
    >>> merged({"optimizer": {"name": "adam", "lr": 0.1}}, {"optimizer": {"name": "sgd"}})
    {'optimizer': {'name': 'sgd'}}
    """
    if not (isinstance(base, dict) and isinstance(changes, dict)):
        return changes
    if "name" in changes and changes["name"] != base.get("name"):
        return changes
    return {
        key: merged(base.get(key), changes[key]) if key in changes else copy.deepcopy(base[key])
        for key in {**base, **changes}
    }


def note(params: Any, message: str) -> str:
    """An aside for a message about a row that inherits: where its other values stand."""
    if (match := ROW.match(message)) is None:
        return ""
    section = params.get(match[1])
    row = section.get(match[2]) if isinstance(section, dict) else None
    if not (isinstance(row, dict) and LIKE in row):
        return ""
    return f" (what the row does not say is that of {cut(row[LIKE])!r})"


def _written_out(name: str, rows: dict[Any, Any], sections: dict[str, Any]) -> dict[Any, Any]:
    """The rows of a section; `sections` are all, for what a message has to say."""
    done: dict[Any, Any] = {}
    sizes: dict[Any, int] = {}
    total = 0
    for key in rows:
        chain: dict[Any, None] = {}
        while key not in done and isinstance(rows[key], dict) and LIKE in rows[key]:
            chain[key] = None
            base = _base(name, key, sections)
            if base in chain:
                raise UserError(f"{name}.{cut(key)}.like: {_circle([*chain], base)}")
            key = base
        if key not in done:
            done[key], sizes[key] = rows[key], _size(rows[key])
            total += sizes[key]
        for heir in reversed(chain):
            base = rows[heir][LIKE]
            changes = {key: value for key, value in rows[heir].items() if key != LIKE}
            sizes[heir] = sizes[base] + _size(changes) - VALUE_SIZE
            total += sizes[heir]
            if total > MAX_SIZE:
                raise UserError(f"{name}: is too large, with all that its rows inherit")
            done[heir] = _heir(name, done[base], changes)
    return done


def _base(name: str, key: Any, sections: dict[str, Any]) -> str:
    """The key of the row that a row is like."""
    base, rows, path = sections[name][key][LIKE], sections[name], f"{name}.{cut(key)}.like"
    if isinstance(base, str) and base in rows:
        return base
    elsewhere = [s for s in sections if isinstance(base, str) and base in sections[s]]
    if elsewhere:
        reason = f"it stands under {elsewhere[0]}, and a row is like one of its own section"
        raise UserError(f"{path}: {abbreviated(base)} is no row of {name}: {reason}")
    known = nearest(base, [row for row in rows if isinstance(row, str)])
    raise UserError(f"{path}: {abbreviated(base)} is no row of {name}{known}")


def _circle(chain: list[Any], base: str) -> str:
    circle = [*chain[chain.index(base) :], base]
    names = circle if len(circle) <= 5 else [*circle[:3], "...", base]
    return f"{' is like '.join(map(cut, names))}; a row cannot inherit from itself"


def _heir(section: str, row: Any, changes: dict[Any, Any]) -> Any:
    """A row with the changes of one that is like it."""
    kind = row.get("name") if isinstance(row, dict) else None
    has_other_kind = kind is not None and "name" in changes and changes["name"] != kind
    if section not in FAMILIES or not has_other_kind:
        return merged(row, changes)
    common = plugins.common_options(section, kind, changes["name"])
    shared = {key: value for key, value in row.items() if key in common}
    return merged({**shared, "name": changes["name"]}, changes)


def _size(value: Any) -> int:
    """Characters that a value stands for, counted as `yaml_file.read` counts them."""
    if isinstance(value, dict):
        return VALUE_SIZE + sum(_size(key) + _size(item) for key, item in value.items())
    if isinstance(value, list):
        return VALUE_SIZE + sum(map(_size, value))
    return VALUE_SIZE + (len(value) if isinstance(value, str) else 0)
