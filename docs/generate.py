"""The pages of docs/reference that are read off the code: a hook of mkdocs, run at every build.

They are not in git. reference/params.md has the keys of params.yaml with their types and
docstrings, reference/plugins/ a page for each family, reference/command-line.md the help of every
command and the targets of make.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import io
import json
import os
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import griffe
import pydantic

from narrows import __main__
from narrows.config import params, plugins
from narrows.config.plugins import Plugin

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parent.parent
TYPES = {"integer": "whole number", "number": "number", "string": "text", "null": "null"}
TYPES |= {"boolean": "true or false"}
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minItems": "at least {} of them",
}


class Doctests(griffe.Extension):
    """Doctests of docstrings as blocks of code; mkdocstrings loads it."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Puts fences around the doctests of an object."""
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """Text with its doctests as blocks of code.

    >>> fenced("One:\\n\\n    >>> 1\\n    1\\n")
    'One:\\n\\n    ```pycon\\n    >>> 1\\n    1\\n    ```\\n'
    """
    return re.sub(r"(?m)^( *)>>> (?:.+\n?)+", _fence, text)


def _fence(match: re.Match[str]) -> str:
    indent = match[1]
    return f"{indent}```pycon\n{match[0].rstrip()}\n{indent}```\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages to those of docs/; mkdocs calls it."""
    from mkdocs.structure.files import File

    for uri, content in pages():
        files.append(File.generated(config, uri, content=content))
    return files


def pages() -> Iterator[tuple[str, str]]:
    """Every page: its place in docs/, and its text."""
    sections, families = reachable()
    yield "reference/params.md", params_page(sections)
    for family in families:
        yield f"reference/plugins/{family}.md", family_page(family)
    yield "reference/command-line.md", command_page()


def reachable() -> tuple[list[type], list[str]]:
    """The dataclasses and the families of plug-ins that params.yaml consists of, in its order."""
    sections: list[type] = []
    families: list[str] = []

    def visit(hint: Any) -> None:
        if family := family_of(hint):
            if family not in families:
                families.append(family)
                for name in plugins.available(family):
                    for inner in hints(plugins.load(family, name).Config).values():
                        visit(inner)
        elif typing.get_origin(hint) is Annotated:
            visit(typing.get_args(hint)[0])
        elif dataclasses.is_dataclass(hint):
            if hint not in sections:
                sections.append(typing.cast(type, hint))
                for inner in hints(hint).values():
                    visit(inner)
        else:
            for inner in typing.get_args(hint):
                visit(inner)

    visit(params.Params)
    return sections, families


def family_of(hint: Any) -> str:
    """The family of plug-ins that a field names one of; empty for any other field."""
    arguments = typing.get_args(hint)
    is_plugin = typing.get_origin(hint) is Annotated and arguments[0] is Plugin
    return arguments[1] if is_plugin else ""


def hints(cls: Any) -> dict[str, Any]:
    """Types of the fields of a dataclass, in their order."""
    known = typing.get_type_hints(cls, include_extras=True)
    return {field.name: known[field.name] for field in dataclasses.fields(cls)}


def params_page(sections: list[type]) -> str:
    """Keys of params.yaml, section by section."""
    lines = ["# Keys of params.yaml", "", prose(params), ""]
    lines += ["A key without a default has to be written. The keys of a plug-in stand on the page"]
    lines += ["of its family.", ""]
    for section in sections:
        if section is not params.Params:
            lines += ["", f"## {section.__name__}", "", prose(section), ""]
        lines += table(section, list(hints(section)), "")
    return "\n".join(lines) + "\n"


def family_page(family: str) -> str:
    """The plug-ins of a family: what each is, its own keys, and the keys that all have."""
    base = plugins.load(family, "_base")
    title = family.replace("_", " ")
    lines = [f"# {title.capitalize()}", "", prose(base), ""]
    place = plugins.folder(family).relative_to(ROOT)
    lines += [f"Each is a file of `{place}/`, named by `name:` in params.yaml.", ""]
    modules = {name: plugins.load(family, name) for name in plugins.available(family)}
    shared = [
        key
        for key in hints(next(iter(modules.values())).Config)
        if all(owner(module.Config, key).__module__ == base.__name__ for module in modules.values())
    ]
    if shared:
        lines += ["## Keys of all", ""]
        lines += table(next(iter(modules.values())).Config, shared, "../")
    for name, module in modules.items():
        own = [key for key in hints(module.Config) if key not in shared]
        lines += ["", f"## {name}", "", prose(module), ""]
        lines += table(module.Config, own, "../") if own or shared else ["It has no keys.", ""]
    return "\n".join(lines) + "\n"


def owner(cls: type, key: str) -> type:
    """The class that says what a field is: this one or a base of it."""
    return next(base for base in cls.__mro__ if key in inspect.get_annotations(base))


def table(cls: type, keys: list[str], up: str) -> list[str]:
    """Rows of a table with these fields of a dataclass; `up` leads to reference/."""
    if not keys:
        return []
    known = hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    lines = ["| key | accepted | default | meaning |", "|---|---|---|---|"]
    for key in keys:
        cells = [f"`{key}`", accepted(known[key], up), default(fields[key]), meaning(cls, key)]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def accepted(hint: Any, up: str) -> str:
    """What a value may be, in words.

    >>> accepted(Annotated[float, pydantic.Field(ge=0, lt=1)], "")
    'number, at least 0, below 1'
    >>> accepted(tuple[str, ...], "")
    'list of: text'
    """
    if family := family_of(hint):
        return f"[{family}]({up}plugins/{family}.md)"
    if dataclasses.is_dataclass(hint):
        name = typing.cast(type, hint).__name__
        return f"[keys]({up}params.md#{name.lower()})"
    if typing.get_origin(hint) is dict:
        return f"rows by key: {accepted(typing.get_args(hint)[1], up)}"
    if typing.get_origin(hint) is tuple:
        return f"list of: {accepted(typing.get_args(hint)[0], up)}"
    return in_words(pydantic.TypeAdapter(hint).json_schema())


def in_words(schema: dict[str, Any]) -> str:
    """A type as JSON Schema, in words; nothing where only the key's own sentence says it."""
    if "anyOf" in schema:
        return " or ".join(in_words(part) for part in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    words = [TYPES.get(schema.get("type", ""), "")]
    if schema.get("type") == "array":
        words = [f"list of: {in_words(schema.get('items', {}))}"]
    words += [text.format(schema[key]) for key, text in BOUNDS.items() if key in schema]
    return ", ".join(filter(None, words))


def default(field: dataclasses.Field[Any]) -> str:
    """The value of a key that is not written, as YAML has it."""
    value = field.default
    if value is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    if value is dataclasses.MISSING:
        return ""
    if isinstance(value, str) and value.isidentifier():
        return f"`{value}`"
    return f"`{json.dumps(value)}`"


@functools.cache
def source() -> griffe.Object:
    """The package as griffe reads it, without importing."""
    return typing.cast(griffe.Object, griffe.load("narrows", search_paths=[str(ROOT / "src")]))


def meaning(cls: type, key: str) -> str:
    """The docstring under a field, in one line of a table."""
    place = owner(cls, key)
    path = f"{place.__module__}.{place.__qualname__}.{key}".removeprefix("narrows.")
    docstring = source()[path].docstring
    assert docstring, f"{path} has no docstring"
    return escaped(" ".join(docstring.value.split())).replace("|", "\\|")


def prose(thing: ModuleType | type) -> str:
    """A docstring as Markdown; nothing where there is none."""
    return fenced(escaped(inspect.getdoc(thing) or ""))


def escaped(text: str) -> str:
    """Text whose `<words>` are no tags of HTML; code keeps them as they are.

    >>> escaped("the <row> of `<row>`")
    'the &lt;row> of `<row>`'
    """
    parts = re.split(r"(`[^`]*`|(?m:^ {4}.*$))", text)
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return "".join(parts)


def command_page() -> str:
    """What every command and every target of make says of itself."""
    lines = ["# The command line", ""]
    lines += ["`narrows COMMAND --help` prints what stands here; `python -m narrows` is the same"]
    lines += ["as `narrows`. In the repository `make` alone prints the targets.", ""]
    for name in __main__.COMMANDS:
        lines += [f"## narrows {name}", "", "```text", help_of(name), "```", ""]
    lines += ["## Targets of make", "", "| target | what it does |", "|---|---|"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target, what in re.findall(r"^([a-z-]+):[^#\n]*## (.*)$", makefile, re.MULTILINE):
        lines.append(f"| `make {target}` | {escaped(what)} |")
    return "\n".join(lines) + "\n"


def help_of(command: str) -> str:
    """What `narrows COMMAND --help` prints, 86 characters wide."""
    text = io.StringIO()
    os.environ["COLUMNS"] = "86"
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        __main__.main(command, "--help")
    return text.getvalue().strip()
