"""Which code a row reaches, as a digest: its own modules and all that they import, at any depth.

A module counts as its syntax tree without docstrings and comments, so that words rerun nothing. It
is written out here rather than by `ast.dump`, whose text differs between versions of Python.

Rooms that carry values, words and pictures and compute none are left out (`CARRIERS`): a new style
of figures trains nothing. What they write into a row's folder is bound to `rows.FORMAT`.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
CARRIERS = tuple(
    f"narrows.{name}"
    for name in (
        *("errors", "config", "store", "rendering", "engine", "tracking"),
        *("stages.runner", "stages.log"),
    )
)
"""Rooms and modules that no result depends on."""
BOUNDED = tuple(f"{name}." for name in CARRIERS)
POSITIONS = frozenset({"lineno", "col_offset", "end_lineno", "end_col_offset", "type_comment"})


def digest(modules: Iterable[str]) -> str:
    """SHA-256 over all code that these modules of the package reach.

    Args:
        modules: dotted names, like "narrows.models.networks.mlp".
    """
    reached = sorted(closure(modules))
    parts = [f"{name} {tree_digest(file_of(name))}" for name in reached]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def files_digest(room: str = "") -> str:
    """SHA-256 of all files of the package, or of a room of it, byte for byte: what changes with
    every edit and takes milliseconds."""
    whole = hashlib.sha256()
    for file in sorted(PACKAGE.joinpath(room).rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            whole.update(f"{file.relative_to(PACKAGE).as_posix()} {file.stat().st_size}\n".encode())
            whole.update(file.read_bytes())
    return whole.hexdigest()


def closure(modules: Iterable[str]) -> set[str]:
    """The modules of the package that these reach, themselves included, carriers left out."""
    reached: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in reached and not f"{name}.".startswith(BOUNDED):
            reached.add(name)
            waiting += imports(file_of(name))
    return reached


def file_of(name: str) -> Path:
    """The file of a module of the package; of a folder its __init__.py."""
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports(file: Path) -> tuple[str, ...]:
    """Modules of the package that a file imports, wherever in it the import stands."""
    return _facts(file, *_version(file))[0]


def tree_digest(file: Path) -> str:
    """SHA-256 of a file's syntax tree without docstrings and other bare strings."""
    return _facts(file, *_version(file))[1]


def _version(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_mtime_ns, status.st_size


@cache
def _facts(file: Path, *_: int) -> tuple[tuple[str, ...], str]:
    tree = ast.parse(file.read_bytes())
    return tuple(_imports(tree)), hashlib.sha256("".join(_text(tree)).encode()).hexdigest()


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("narrows."))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("narrows"):
            for alias in node.names:  # a module of that name, or a name of that module
                inner = f"{node.module}.{alias.name}"
                if file_of(inner).exists():
                    yield inner
                elif node.module != "narrows":
                    yield str(node.module)


def _text(node: Any) -> Iterator[str]:
    """A syntax tree as text; what is empty is left out, since newer Pythons have more fields."""
    if isinstance(node, ast.AST):
        yield type(node).__name__ + "("
        for name, value in ast.iter_fields(node):
            if name not in POSITIONS and value is not None and value != []:
                yield name + "="
                yield from _text(value)
        yield ")"
    elif isinstance(node, list):
        yield "["
        yield from (text for item in node if not _is_docstring(item) for text in _text(item))
        yield "]"
    else:
        yield repr(node) + ","


def _is_docstring(node: Any) -> bool:
    constant = node.value if isinstance(node, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)


def module_of(file: str | Path) -> str:
    """The dotted name of a file of the package.

    >>> module_of(PACKAGE / "models/networks/mlp.py")
    'narrows.models.networks.mlp'
    """
    inner = Path(file).relative_to(PACKAGE).with_suffix("")
    return ".".join(["narrows", *inner.parts]).removesuffix(".__init__")
