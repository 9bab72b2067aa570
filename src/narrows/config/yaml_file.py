"""A YAML file as plain Python, of bounded size: what parses a file must not be stopped by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML  # YAML 1.2, the parser DVC uses: 1e-3 is a float (PyYAML: a string)
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent
from ruamel.yaml.nodes import Node, ScalarNode

from narrows.config.messages import abbreviated, cut
from narrows.errors import UserError

MAX_BYTES = 2**20
MAX_DEPTH = 100  # ruamel's C parser builds values by recursion, and ends the process where it ends
MAX_SIZE = 2**21  # characters, with everything that an alias stands for written out
VALUE_SIZE = 32  # characters that a value counts as besides its own: it costs time and memory


class _Constructor(SafeConstructor):
    """Builds plain values, and says which text and line could not become one."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        """The value of a node."""
        if not isinstance(node, ScalarNode):
            return super().construct_object(node, deep)
        try:
            return super().construct_object(node, deep)
        except YAMLError:  # names the place itself
            raise
        except Exception:  # of any kind: for 2020-99-99, !!int abc or 5,000 digits
            kind = (node.tag or "value").rpartition(":")[2]
            line, text = node.start_mark.line + 1, abbreviated(node.value)
            raise ValueError(f"line {line} is no valid {kind}: {text}") from None


def read(path: Path) -> Any:
    """The file's content.

    Raises:
        UserError: there is no such file, it is not valid YAML, or it is too large, too deep, or
            too large when its aliases are written out.
    """
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{path}: is no file")
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path}: has more than the {MAX_BYTES:,} bytes that are read")
        text = path.read_text(encoding="utf-8")
        _check_size(text, path)
        yaml = YAML(typ="safe")
        yaml.Constructor = _Constructor
        return yaml.load(text)
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path}: no such file here; run from the project's folder") from None
    except Exception as error:  # of the parser, or of what builds values
        problem = str(error).replace(' in "<unicode string>",', " in")  # the parser's word for it
        message = cut(" ".join(problem.split())) or type(error).__name__
        raise UserError(f"{path}: not valid YAML: {message}") from None


def _check_size(text: str, path: Path) -> None:
    """Counts depth and size by the parser's events, before anything is built."""
    sizes: dict[str, int] = {}  # by anchor
    open_nodes: list[tuple[str | None, int]] = []  # anchor and size before it
    size = 0
    for event in YAML(typ="safe").parse(text):
        if isinstance(event, CollectionStartEvent):
            open_nodes.append((event.anchor, size))
            size += VALUE_SIZE
        elif isinstance(event, CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = size - before
        elif isinstance(event, ScalarEvent):
            size += VALUE_SIZE + len(event.value)
            if event.anchor:
                sizes[event.anchor] = VALUE_SIZE + len(event.value)
        elif isinstance(event, AliasEvent):
            if event.anchor not in sizes:
                name = cut(event.anchor)
                raise UserError(f"{path}: *{name} stands before or inside of what it names")
            size += sizes[event.anchor]
        if len(open_nodes) > MAX_DEPTH:
            raise UserError(f"{path}: has values more than {MAX_DEPTH} deep in one another")
        if size > MAX_SIZE:
            raise UserError(f"{path}: is too large, with all that its aliases stand for")
