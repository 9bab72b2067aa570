"""params.schema.json, by which editors complete and check params.yaml while it is typed.

    python -m narrows.config.schema

writes it anew from what checks the file: the types of `Params`, the `Config` of every plug-in, and
their docstrings. The first line of params.yaml names it. What a schema cannot say, as that a
clustering's encoder is a row, `params.load` alone checks.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import json
import sys
import types
import typing
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import pydantic

from narrows.config import params, plugins
from narrows.config.inheritance import LIKE, SECTIONS
from narrows.config.params import Params
from narrows.config.plugins import Plugin, resolved

FILE = Path("params.schema.json")
DRAFT = "http://json-schema.org/draft-07/schema#"  # the newest that editors know well
Schema = dict[str, Any]


def document() -> Schema:
    """The schema of params.yaml."""
    definitions: dict[str, Schema] = {}
    schema = _object(Params, definitions)
    for section in SECTIONS:
        rows = schema["properties"][section]
        (row,) = typing.get_args(params.types_of(Params)[section])[1:]
        heir = _heir(row, definitions)
        condition = {"if": {"required": [LIKE]}, "then": heir, "else": rows["additionalProperties"]}
        rows["propertyNames"] = {"pattern": f"^{params.KEY.pattern}$"}
        rows["additionalProperties"] = {"type": "object", **condition}
    return {"$schema": DRAFT, **schema, "definitions": dict(sorted(definitions.items()))}


def text() -> str:
    """The content of params.schema.json."""
    return json.dumps(document(), indent=1) + "\n"


def _of(hint: Any, definitions: dict[str, Schema], is_part: bool) -> Schema:
    """The schema of a type.

    Args:
        definitions: gets those that the schema refers to.
        is_part: whether keys may be left out, since the row inherits them.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated and arguments[0] is Plugin:
        return _family(arguments[1], definitions, is_part)
    if origin is Annotated and isinstance(arguments[1], pydantic.PlainValidator):
        return _of(arguments[1].json_schema_input_type, definitions, is_part)
    if dataclasses.is_dataclass(hint):
        return _object(hint, definitions, is_part)
    if origin in (types.UnionType, typing.Union):
        return {"anyOf": [_of(choice, definitions, is_part) for choice in arguments]}
    if origin is dict:
        values = _of(arguments[1], definitions, is_part)
        return {"type": "object", "additionalProperties": values}
    if origin is tuple:
        items = [_of(item, definitions, is_part) for item in arguments if item is not Ellipsis]
        if Ellipsis not in arguments:
            length = {"minItems": len(items), "maxItems": len(items)}
            return {"type": "array", "items": _any(items), **length}
        return {"type": "array", "items": items[0]}
    return pydantic.TypeAdapter(hint).json_schema()


def _object(
    cls: Any,
    definitions: dict[str, Schema],
    is_part: bool = False,
    largest: int = params.LARGEST,
) -> Schema:
    """The schema of the mapping that a dataclass is made of."""
    properties, needed = {}, []
    descriptions = _docstrings(cls)
    for field in dataclasses.fields(cls):
        schema = dict(_of(params.types_of(cls)[field.name], definitions, is_part))
        if field.name not in params.bounded(cls):
            schema = _limited(schema, largest)
        schema["description"] = descriptions[field.name]
        if field.default is not dataclasses.MISSING:
            schema["default"] = resolved(field.default)
        elif field.default_factory is dataclasses.MISSING and not is_part:
            needed.append(field.name)
        properties[field.name] = schema
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": needed} if needed else schema


def _limited(schema: Schema, largest: int) -> Schema:
    """The schema with an upper bound of its whole numbers."""
    limited = {**schema, "maximum": largest} if schema.get("type") == "integer" else dict(schema)
    if "items" in schema:
        limited["items"] = _limited(schema["items"], largest)
    if "anyOf" in schema:
        limited["anyOf"] = [_limited(choice, largest) for choice in schema["anyOf"]]
    return limited


def _family(family: str, definitions: dict[str, Schema], is_part: bool) -> Schema:
    """A reference to the definition of a family's plug-ins."""
    name = f"{family}.part" if is_part else family
    if name not in definitions:
        definitions[name] = {}  # a plug-in of the family may have one of the family
        definitions[name] = _plugins(family, definitions, is_part, {})
    return {"$ref": f"#/definitions/{name}"}


def _heir(hint: Any, definitions: dict[str, Schema]) -> Schema:
    """The schema of a row with `like`, which may leave out every other key."""
    words = "Key of another row of this section: what this row does not say is as in that one."
    like = {LIKE: {"type": "string", "description": words}}
    if typing.get_origin(hint) is Annotated:
        return _plugins(typing.get_args(hint)[1], definitions, True, like)
    schema = _object(hint, definitions, is_part=True)
    return {**schema, "properties": {**like, **schema["properties"]}}


def _plugins(
    family: str, definitions: dict[str, Schema], is_part: bool, more: dict[str, Schema]
) -> Schema:
    """The schema of `{name: ..., ...}`, whose other keys depend on the name.

    Args:
        more: properties that every plug-in has beside its own.
    """
    names = plugins.available(family)
    modules = [plugins.load(family, name) for name in names]
    words = {"enum": names, "enumDescriptions": [_words(module.__doc__) for module in modules]}
    name = {"name": {**words, "description": "Which one: a file of this name."}}
    cases: list[Schema] = []
    every: dict[str, list[Schema]] = {}
    for choice, module in zip(names, modules, strict=True):
        options = _object(module.Config, definitions, is_part, params.largest_of(family))
        for key, option in options["properties"].items():
            every.setdefault(key, []).append(option)
        options["properties"] = {"name": True, **more, **options["properties"]}
        cases.append(
            _case({"properties": {"name": {"const": choice}}, "required": ["name"]}, options)
        )
    schema: Schema = {"type": "object", "properties": {**name, **more}, "allOf": cases}
    if not is_part:
        return {**schema, "required": ["name"]}
    nameless = {"properties": {**more, **{key: _any(options) for key, options in every.items()}}}
    cases.append(
        _case({"not": {"required": ["name"]}}, {**nameless, "additionalProperties": False})
    )
    return schema


def _case(condition: Schema, then: Schema) -> Schema:
    return {"if": condition, "then": then}


def _any(options: list[Schema]) -> Schema:
    """What one of several plug-ins takes for an option of theirs."""
    different = [option for i, option in enumerate(options) if option not in options[:i]]
    return different[0] if len(different) == 1 else {"anyOf": different}


@functools.cache
def _docstrings(cls: type) -> dict[str, str]:
    """The string below each field of a dataclass and its bases."""
    texts: dict[str, str] = {}
    for base in filter(dataclasses.is_dataclass, reversed(cls.__mro__)):
        body = next(
            node.body
            for node in ast.walk(ast.parse(inspect.getsource(inspect.getmodule(base) or base)))
            if isinstance(node, ast.ClassDef) and node.name == base.__name__
        )
        for field, below in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
                texts[ast.unparse(field.target)] = _words(ast.literal_eval(below.value))
    return texts


def _words(text: str | None) -> str:
    """A docstring as one line."""
    return " ".join((text or "").split())


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{FILE}\n")
