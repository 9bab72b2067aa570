"""What a search may change in a row of `autoencoders:`, and how a draw becomes a row.

A key of a space is a dotted key of the row. A list is a choice; `{low: 2, high: 32}` a range, of
whole numbers if both are; `{layers: [1, 3], units: [32, 512]}` some layers and the units of each.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from narrows.config.plugins import config

Changes = dict[str, Any]  # by dotted key of a row
Number = int | float


@runtime_checkable  # whoever checks types at run time asks for it
class Trial(Protocol):
    """What of Optuna's trial is used here."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int: ...
    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float: ...
    def suggest_categorical(self, name: str, choices: list[Any]) -> Any: ...


@config
class Range:
    low: int | float
    """Smallest value."""
    high: int | float
    """Largest value, included."""
    log: bool = False
    """Whether every order of magnitude is as likely as another: for rates, weights and sizes."""

    def __post_init__(self) -> None:
        if not (self.low < self.high and (self.low > 0 or not self.log)):
            need = "0 < low < high" if self.log else "low < high"
            raise ValueError(f"{need} is needed, found low {self.low} and high {self.high}")

    def draw(self, key: str, trial: Trial) -> Number:
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(key, self.low, self.high, log=self.log)
        return trial.suggest_float(key, self.low, self.high, log=self.log)

    def corners(self) -> Iterator[Number]:
        yield from (self.low, self.high)


@config
class Layers:
    layers: tuple[int, int]
    """Fewest and most layers."""
    units: tuple[int, int]
    """Fewest and most units of each, drawn on a log scale."""

    def __post_init__(self) -> None:
        ordered = self.layers[0] <= self.layers[1] and self.units[0] <= self.units[1]
        if not (ordered and self.layers[0] >= 0 and self.units[0] >= 1):
            raise ValueError(
                "layers and units are [fewest, most], units from 1 on, found "
                f"layers {list(self.layers)} and units {list(self.units)}"
            )

    def draw(self, key: str, trial: Trial) -> list[int]:
        n_layers = trial.suggest_int(f"{key}.layers", *self.layers, log=False)
        return [trial.suggest_int(f"{key}.{i}", *self.units, log=True) for i in range(n_layers)]

    def corners(self) -> Iterator[list[int]]:
        yield from ([units] * n for n, units in zip(self.layers, self.units, strict=True))


@config
class Choices:
    values: tuple[Any, ...]
    """Of which one is taken; what is no number or word stands in the study as JSON."""

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a list of choices has at least one")

    def draw(self, key: str, trial: Trial) -> Any:
        names = [v if isinstance(v, str | int | float) else json.dumps(v) for v in self.values]
        chosen = trial.suggest_categorical(key, names)
        return copy.deepcopy(self.values[names.index(chosen)])

    def corners(self) -> Iterator[Any]:
        yield from self.values


Space = Mapping[str, Range | Layers | Choices]


def parse(raw: Any) -> Space:
    """A `space:` of params.yaml; raises `ValueError` with a sentence that names the key."""
    if not isinstance(raw, dict) or not raw:
        raise ValueError(f"space: a mapping of a row's keys to what they may be, found {raw!r}")
    return {str(key): _one(str(key), told) for key, told in raw.items()}


def _one(key: str, told: Any) -> Range | Layers | Choices:
    import pydantic

    kinds: list[tuple[set[str], set[str], Any]] = [
        ({"low", "high"}, {"low", "high", "log"}, Range),
        ({"layers", "units"}, {"layers", "units"}, Layers),
    ]
    if isinstance(told, Range | Layers | Choices):
        return told
    try:
        if isinstance(told, list | tuple):
            return Choices(values=tuple(told))
        for needed, known, kind in kinds:
            if isinstance(told, dict) and needed <= set(told) <= known:
                lists = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items()}
                made: Range | Layers = kind(**lists)
                return made
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"space.{key}: {first['msg'].removeprefix('Value error, ')}") from None
    raise ValueError(
        f"space.{key}: accepted are a list of choices, {{low, high, log}} and {{layers, units}}, "
        f"found {told!r}"
    )


def draw(space: Space, trial: Trial) -> Changes:
    """One value for every key."""
    return {key: one.draw(key, trial) for key, one in space.items()}


def corners(space: Space) -> Iterator[Changes]:
    """Draws at the ends of every range and of every choice, one key at a time, to be tried out."""
    yield from ({key: value} for key, one in space.items() for value in one.corners())


def changed(row: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """A copy of the row with the values at some dotted keys replaced.

    >>> changed({"code_size": 8, "train": {"epochs": 2}}, {"train.epochs": 5})
    {'code_size': 8, 'train': {'epochs': 5}}
    """
    made = copy.deepcopy(row)
    for path, value in changes.items():
        *folders, last = path.split(".")
        node = made
        for folder in folders:
            if not isinstance(node.get(folder), dict):
                raise ValueError(f"space.{path}: the row has no key {folder!r} with keys below it")
            node = node[folder]
        if last not in node:
            raise ValueError(f"space.{path}: the row has no such key; it has {', '.join(node)}")
        node[last] = value
    return made
