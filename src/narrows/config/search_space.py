"""What a search may change in a row of `autoencoders:`, and how a draw becomes a row.

A key of a space is a dotted key of the row. A list is a choice; `{low: 2, high: 32}` a range, of
whole numbers if both are; `{layers: [1, 3], units: [32, 512]}` some layers and the units of each.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from narrows.config.messages import abbreviated, cut, refusal
from narrows.config.plugins import config

Changes = dict[str, Any]  # by dotted key of a row
Parameters = dict[str, Any]  # of a trial, by Optuna's names
Number = int | float
MAX_LAYERS = 100
MAX_CHOICES = 100


@runtime_checkable  # whoever checks types at run time asks for it
class Trial(Protocol):
    """The methods of an Optuna trial that draws use."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int: ...
    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float: ...
    def suggest_categorical(self, name: str, choices: list[Any]) -> Any: ...


@config
class Range:
    """All numbers between two, whole ones if both are."""

    low: int | float
    """Smallest value."""
    high: int | float
    """Largest value, included."""
    log: bool = False
    """Whether every order of magnitude is as likely as another: for rates, weights and sizes."""

    def __post_init__(self) -> None:
        if not (self.low < self.high and (self.low > 0 or not self.log)):
            need = "0 < low < high" if self.log else "low < high"
            low, high = abbreviated(self.low), abbreviated(self.high)
            raise ValueError(f"{need} is needed, found low {low} and high {high}")

    def draw(self, key: str, trial: Trial) -> Number:
        """A number that the trial suggests under the key."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(key, self.low, self.high, log=self.log)
        return trial.suggest_float(key, self.low, self.high, log=self.log)

    def candidates(self, key: str, value: Any) -> Iterator[Parameters]:
        """The value itself where it lies between both."""
        if isinstance(value, int | float) and self.low <= value <= self.high:
            yield {key: value}

    def corners(self) -> Iterator[Number]:
        """Both ends."""
        yield from (self.low, self.high)


@config
class Layers:
    """Sizes of layers, of which the number is drawn as well."""

    layers: tuple[int, int]
    """Fewest and most layers."""
    units: tuple[int, int]
    """Fewest and most units of every layer, drawn on a log scale."""

    def __post_init__(self) -> None:
        layers_fit = 0 <= self.layers[0] <= self.layers[1] <= MAX_LAYERS
        if not (layers_fit and 1 <= self.units[0] <= self.units[1]):
            raise ValueError(
                f"layers and units are [fewest, most], at most {MAX_LAYERS} layers, units from 1 "
                f"on, found layers {abbreviated(list(self.layers))} and units "
                f"{abbreviated(list(self.units))}"
            )

    def draw(self, key: str, trial: Trial) -> list[int]:
        """Units by layer, input side first, that the trial suggests under keys below the key."""
        n_layers = trial.suggest_int(f"{key}.layers", *self.layers, log=False)
        return [trial.suggest_int(f"{key}.{i}", *self.units, log=True) for i in range(n_layers)]

    def candidates(self, key: str, value: Any) -> Iterator[Parameters]:
        """Number and sizes of the value's layers where both are within bounds."""
        (fewest, most), (smallest, largest) = self.layers, self.units
        is_list = isinstance(value, list | tuple) and fewest <= len(value) <= most
        if is_list and all(smallest <= units <= largest for units in value):
            yield {f"{key}.layers": len(value)} | {f"{key}.{i}": n for i, n in enumerate(value)}

    def corners(self) -> Iterator[list[int]]:
        """Fewest layers of fewest units, most layers of most units."""
        yield from ([units] * n for n, units in zip(self.layers, self.units, strict=True))


@config
class Choices:
    """Some values, of which one is drawn."""

    values: tuple[Any, ...]
    """Values to choose from; what is no number or word stands in the study as JSON."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.values) <= MAX_CHOICES:
            count = len(self.values)
            raise ValueError(f"a list of choices has 1 to {MAX_CHOICES} of them, found {count:,}")

    def draw(self, key: str, trial: Trial) -> Any:
        """A value that the trial suggests under the key."""
        names = self._names()
        chosen = trial.suggest_categorical(key, names)
        return copy.deepcopy(self.values[names.index(chosen)])

    def candidates(self, key: str, value: Any) -> Iterator[Parameters]:
        """Every choice: which of them is the value, only a row built of it says, for it may leave
        out defaults."""
        yield from ({key: name} for name in self._names())

    def _names(self) -> list[Any]:
        return [v if isinstance(v, str | int | float) else json.dumps(v) for v in self.values]

    def corners(self) -> Iterator[Any]:
        """All values."""
        yield from self.values


Space = Mapping[str, Range | Layers | Choices]
AsWritten = dict[str, list[Any] | Range | Layers]
"""A space as params.yaml has it."""


def parse(raw: Any) -> Space:
    """A `space:` of params.yaml; raises `ValueError` with a sentence that names the key."""
    if not isinstance(raw, dict) or not raw:
        raise ValueError(
            f"space: a mapping of a row's keys to what they may be, found {abbreviated(raw)}"
        )
    return {str(key): _parameter(str(key), value) for key, value in raw.items()}


def _parameter(key: str, raw: Any) -> Range | Layers | Choices:
    import pydantic

    kinds: list[tuple[set[str], set[str], Any]] = [
        ({"low", "high"}, {"low", "high", "log"}, Range),
        ({"layers", "units"}, {"layers", "units"}, Layers),
    ]
    if isinstance(raw, Range | Layers | Choices):
        return raw
    try:
        if isinstance(raw, list | tuple):
            raw = {"values": tuple(raw)}
            return Choices(**raw)
        for needed, known, kind in kinds:
            if isinstance(raw, dict) and needed <= set(raw) <= known:
                lists = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
                parameter: Range | Layers = kind(**lists)
                return parameter
    except pydantic.ValidationError as error:
        raise ValueError(f"space.{cut(key)}: {refusal(error.errors(), dict(raw))}") from None
    raise ValueError(
        f"space.{cut(key)}: accepted are a list of choices, {{low, high, log}} and "
        f"{{layers, units}}, found {abbreviated(raw)}"
    )


def draw(space: Space, trial: Trial) -> Changes:
    """One value for every key."""
    return {key: parameter.draw(key, trial) for key, parameter in space.items()}


def corners(space: Space) -> Iterator[Changes]:
    """Draws at the ends of every range and of every choice, one key at a time, to be tried out."""
    for key, parameter in space.items():
        yield from ({key: value} for value in parameter.corners())


def value_at(row: Mapping[str, Any], path: str) -> Any:
    """The row's value at a dotted key.

    >>> value_at({"code_size": 8, "train": {"epochs": 2}}, "train.epochs")
    2
    """
    for key in path.split("."):
        row = row[key]
    return row


def changed(row: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """A copy of the row with the values at some dotted keys replaced.

    >>> changed({"code_size": 8, "train": {"epochs": 2}}, {"train.epochs": 5})
    {'code_size': 8, 'train': {'epochs': 5}}
    """
    new_row = copy.deepcopy(row)
    for path, value in changes.items():
        *sections, last = path.split(".")
        node = new_row
        for section in sections:
            if not isinstance(node.get(section), dict):
                key = abbreviated(section)
                raise ValueError(f"space.{cut(path)}: the row has no key {key} with keys below it")
            node = node[section]
        if last not in node:
            names = ", ".join(node)
            raise ValueError(f"space.{cut(path)}: the row has no such key; it has {names}")
        node[last] = value
    return new_row
