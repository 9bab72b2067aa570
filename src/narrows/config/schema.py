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
    whole, part = _Shapes(definitions, is_part=False), _Shapes(definitions, is_part=True)
    schema = whole.of_class(Params)
    for section in SECTIONS:
        rows = schema["properties"][section]
        heir = part.of_heir(typing.get_args(params.types_of(Params)[section])[1])
        row = {"if": {"required": [LIKE]}, "then": heir, "else": rows["additionalProperties"]}
        rows["propertyNames"] = {"pattern": f"^{params.KEY.pattern}$"}
        rows["additionalProperties"] = {"type": "object", **row}
    return {"$schema": DRAFT, **schema, "definitions": dict(sorted(definitions.items()))}


def text() -> str:
    """The content of params.schema.json."""
    return json.dumps(document(), indent=1) + "\n"


@dataclasses.dataclass(frozen=True)
class _Shapes:
    """Schemas of types and plug-ins."""

    definitions: dict[str, Schema]
    """Those that others refer to, by name."""
    is_part: bool
    """Whether keys may be left out, since the row inherits them."""

    def of(self, hint: Any) -> Schema:
        """The schema of a type."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is Annotated and arguments[0] is Plugin:
            return self.of_family(arguments[1])
        if origin is Annotated and isinstance(arguments[1], pydantic.PlainValidator):
            return self.of(arguments[1].json_schema_input_type)
        if dataclasses.is_dataclass(hint):
            return self.of_class(hint)
        if origin in (types.UnionType, typing.Union):
            return {"anyOf": [self.of(choice) for choice in arguments]}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if origin is tuple and Ellipsis in arguments:
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is tuple:
            length = {"minItems": len(arguments), "maxItems": len(arguments)}
            return {"type": "array", "items": _any([self.of(item) for item in arguments]), **length}
        return pydantic.TypeAdapter(hint).json_schema()

    def of_class(self, cls: Any, largest: int = params.LARGEST) -> Schema:
        """The schema of the mapping that a dataclass is made of."""
        properties, needed = {}, []
        descriptions = _docstrings(cls)
        for field in dataclasses.fields(cls):
            schema = self.of(params.types_of(cls)[field.name])
            if field.name not in params.bounded(cls):
                schema = _limited(schema, largest)
            schema = {**schema, "description": descriptions[field.name]}
            if field.default is not dataclasses.MISSING:
                schema["default"] = resolved(field.default)
            elif field.default_factory is dataclasses.MISSING and not self.is_part:
                needed.append(field.name)
            properties[field.name] = schema
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        return {**schema, "required": needed} if needed else schema

    def of_heir(self, hint: Any) -> Schema:
        """The schema of a row with `like`."""
        words = "Key of another row of this section: what this row does not say is as in that one."
        like = {LIKE: {"type": "string", "description": words}}
        if typing.get_origin(hint) is Annotated:
            return self.of_plugins(typing.get_args(hint)[1], like)
        schema = self.of_class(hint)
        return {**schema, "properties": {**like, **schema["properties"]}}

    def of_family(self, family: str) -> Schema:
        """A reference to the schema of a family's plug-ins."""
        name = f"{family}.part" if self.is_part else family
        if name not in self.definitions:
            self.definitions[name] = self.of_plugins(family, {})
        return {"$ref": f"#/definitions/{name}"}

    def of_plugins(self, family: str, more: dict[str, Schema]) -> Schema:
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
            then = self.of_class(module.Config, params.largest_of(family))
            for key, option in then["properties"].items():
                every.setdefault(key, []).append(option)
            then["properties"] = {"name": True, **more, **then["properties"]}
            is_named = {"properties": {"name": {"const": choice}}, "required": ["name"]}
            cases.append({"if": is_named, "then": then})
        schema: Schema = {"type": "object", "properties": {**name, **more}, "allOf": cases}
        if not self.is_part:
            return {**schema, "required": ["name"]}
        options = {**more, **{key: _any(variants) for key, variants in every.items()}}
        nameless = {"properties": options, "additionalProperties": False}
        cases.append({"if": {"not": {"required": ["name"]}}, "then": nameless})
        return schema


def _limited(schema: Schema, largest: int) -> Schema:
    """The schema with an upper bound of its whole numbers."""
    limited = {**schema, "maximum": largest} if schema.get("type") == "integer" else dict(schema)
    if "items" in schema:
        limited["items"] = _limited(schema["items"], largest)
    if "anyOf" in schema:
        limited["anyOf"] = [_limited(choice, largest) for choice in schema["anyOf"]]
    return limited


def _any(variants: list[Schema]) -> Schema:
    """What fits one of these schemas."""
    different = [variant for i, variant in enumerate(variants) if variant not in variants[:i]]
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
