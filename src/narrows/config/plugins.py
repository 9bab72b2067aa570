"""The word after `name:` in params.yaml is a file in src/narrows/<room>/<family>/.

A plug-in file holds a `Config` and the verbs of its family. Its heavy imports (torch,
scikit-learn) stand inside the verbs: every stage reads every selected `Config` to check
params.yaml, and `fetch` should not wait for torch.
"""

import dataclasses
import functools
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast, dataclass_transform

import pydantic

PACKAGE = Path(__file__).parents[1]
ASIDE = {"is_aside": True}
"""Metadata of a field that changes nothing of what a row computes: `resolved` leaves it out, so
that a change of it computes no row again."""
T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def config(cls: type[T]) -> type[T]:
    """Class decorator: a frozen dataclass whose types and ranges pydantic checks, strictly, and
    whose numbers are finite."""
    strict = pydantic.ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
    checked = pydantic.dataclasses.dataclass(cls, frozen=True, kw_only=True, config=strict)
    return cast(type[T], checked)


@dataclasses.dataclass(frozen=True)
class Plugin:
    """One `{name: ..., ...}` of params.yaml: the file it names and that file's filled-in Config."""

    family: str
    name: str
    config: Any

    @property
    def module(self) -> Any:
        """The file as a module. Callers annotate it with the Protocol of its family, which stands
        in the family's `_base.py`."""
        return load(self.family, self.name)

    @property
    def module_name(self) -> str:
        """Dotted name of its file."""
        return f"narrows.{folder(self.family).parent.name}.{self.family}.{self.name}"


def available(family: str) -> list[str]:
    """Names that `name:` may take: the family's files, less the private ones."""
    return sorted(f.stem for f in folder(family).glob("*.py") if not f.stem.startswith("_"))


def is_available(family: str, name: str) -> bool:
    """Whether `name:` may take this name."""
    is_word = name.isidentifier() and not name.startswith("_") and len(name) <= 100
    return is_word and (folder(family) / f"{name}.py").is_file()


def load(family: str, name: str) -> ModuleType:
    """The plug-in file as a module."""
    room = folder(family).parent.name
    return import_module(f"narrows.{room}.{family}.{name}")


def common_options(family: str, *names: Any) -> set[str]:
    """Options that these plug-ins of a family have from a base of all of them, and which so mean
    the same in each; none where one of them is not known.

    >>> sorted(common_options("optimizers", "adam", "sgd"))
    []
    """
    if not all(isinstance(name, str) and is_available(family, name) for name in names):
        return set()
    bases = [set(load(family, name).Config.__mro__) for name in names]
    shared = filter(dataclasses.is_dataclass, set.intersection(*bases))
    return {field.name for cls in shared for field in dataclasses.fields(cls)}


@functools.cache
def folder(family: str) -> Path:
    """The folder of a family, in the room that its plug-ins serve.

    >>> folder("networks").relative_to(PACKAGE).as_posix()
    'models/networks'
    """
    (place,) = PACKAGE.glob(f"*/{family}/")
    return place


def selected(value: Any) -> Iterator[Plugin]:
    """Every plug-in that a section of params.yaml names, at any depth."""
    if isinstance(value, Plugin):
        yield value
        yield from selected(value.config)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from selected(getattr(value, field.name))
    elif isinstance(value, dict | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from selected(item)


def files(value: Any) -> list[Path]:
    """The code of these plug-ins, with what their families share."""
    chosen = list(selected(value))
    own = {folder(plugin.family) / f"{plugin.name}.py" for plugin in chosen}
    shared = {file for plugin in chosen for file in folder(plugin.family).glob("_*.py")}
    return sorted(own | shared)


def resolved(value: Any) -> Any:
    """The plain mapping that params.yaml would hold, with every default filled in, as far as
    results depend on it.

    >>> resolved(Plugin("penalties", "none", load("penalties", "none").Config()))
    {'name': 'none'}
    """
    if isinstance(value, Plugin):
        return {"name": value.name, **resolved(value.config)}
    if dataclasses.is_dataclass(value):
        fields = (field for field in dataclasses.fields(value) if field.metadata != ASIDE)
        return {field.name: resolved(getattr(value, field.name)) for field in fields}
    if isinstance(value, dict):
        return {key: resolved(item) for key, item in value.items()}
    return [resolved(item) for item in value] if isinstance(value, tuple) else value
