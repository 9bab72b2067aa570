"""What every dataset hands over, checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from narrows.data import blocks
from narrows.data.places import Place
from narrows.errors import UserError


class Skipped(NamedTuple):
    """A file or a row that was left out."""

    path: str
    """Path of a file, or row of a table."""
    reason: str
    """Kind of reason, then after a colon the details where there are any."""


class Original(NamedTuple):
    """What one sample was made from."""

    key: str
    """SHA-256 of its content, in hex."""
    read: Callable[[int], Any]
    """A picture as uint8 (3, size, size), its middle if it is no square; of a text the text,
    whatever the size. Any thread may call it."""
    file: Path | None = None
    """The file that is this sample and no other; None for a row of a table or of an array."""


class Part(NamedTuple):
    """Consecutive samples of a user's file or folder, not yet encoded; any process can encode
    them."""

    n: int
    """Number of samples, those included that will turn out to be unusable."""
    first: int
    """Number of samples before them."""
    content: Any
    """The samples as the plug-in's `encode` takes them: cells, values, or where their files lie."""


class NothingLeft(UserError):
    """Nothing that a source held can be used.

    Args:
        message: what is there, without keys of params.yaml but for the path's.
        skipped: what of it was left out.
        advice: which keys could change that.
    """

    def __init__(self, message: str, skipped: Sequence[Skipped], advice: str = ""):
        super().__init__(f"{message}{advice}")
        self.problem, self.skipped = message, skipped


@dataclass(frozen=True)
class Dataset:
    """Rows in the source's order.

    Raises:
        UserError: no rows, an undocumented shape or type, NaN, infinity or values outside [0, 1].
    """

    x: np.ndarray
    """Pictures, uint8 (N, C, H, W); or a table, float32 (N, D) in [0, 1]."""
    labels: np.ndarray | None
    """Ground truth, int64 (N,); None where the data has none."""
    is_test: np.ndarray | None
    """bool (N,), true for the rows of the data's own test set; None where it has none."""
    names: Sequence[str] | None = None
    """Name of every row: path relative to the user's folder, or identifier; None without names."""
    dates: Sequence[str] | None = None
    """Date of every row, ISO 8601, empty where it has none; None without names."""
    places: Sequence[Place | None] | None = None
    """Place of every row, None where it has none; None where no row can have one."""
    label_names: Sequence[str] | None = None
    """What the user called label 0, 1, ...; None where the source has numbers."""
    skipped: Sequence[Skipped] = ()
    """What the source held and was left out."""
    schema: Mapping[str, Any] = field(default_factory=dict)
    """What `encode` needs to turn new rows into x in the same way, as JSON."""
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Arrays that `encode` needs as well."""
    beyond: np.ndarray | None = None
    """float32 (N, C) of a table's C columns that became features: how far values lie above or,
    negative, below the range that became 0 to 1, in units of this range. Of a new array (N, 1): the
    root of the mean square of this."""
    blank: Mapping[int, str] = field(default_factory=dict)
    """Rows of which x says nothing, and why: good for encoders alone that read what x was made
    from."""
    warnings: Sequence[str] = ()
    """Sentences on what was assumed, and what was changed so that it fits."""
    account: Sequence[str] = ()
    """All of these in full, a line for every column; empty where `warnings` are all."""

    def __post_init__(self) -> None:
        x = self.x
        if (str(x.dtype), x.ndim) not in {("uint8", 4), ("float32", 2)}:
            raise UserError(f"x should be uint8 (N, C, H, W) or float32 (N, D), {_found(x)}")
        if x.size == 0:
            raise UserError(f"the dataset is empty: x is {x.dtype} {x.shape}")
        if x.dtype == np.float32:
            _check_values(x)
        for name, array, dtype in (
            ("labels", self.labels, np.int64),
            ("is_test", self.is_test, np.bool_),
        ):
            if array is not None and (array.dtype != dtype or array.shape != (len(x),)):
                kind = np.dtype(dtype)
                raise UserError(f"{name} should be {kind} ({len(x)},) as x, {_found(array)}")
        about = {"names": self.names, "dates": self.dates, "places": self.places}
        for name, own in about.items():
            if own is not None and len(own) != len(x):
                raise UserError(f"{name} should be {len(x)} as x, found {len(own)}")

    def without_blank(self) -> Dataset:
        """The same without the rows of which x says nothing; they are skipped.

        Raises:
            NothingLeft: there are no others.
        """
        if not self.blank:
            return self
        used = [row for row in range(len(self.x)) if row not in self.blank]
        names = self.names or [f"row {row + 1}" for row in range(len(self.x))]
        blank = [Skipped(names[row], why) for row, why in self.blank.items()]
        skipped = sorted([*self.skipped, *blank])
        if not used:
            raise NothingLeft(f"nothing can be used{aside(skipped)}", skipped)
        return replace(
            self,
            x=self.x[used],
            labels=None if self.labels is None else self.labels[used],
            is_test=None if self.is_test is None else self.is_test[used],
            names=self.names and [self.names[row] for row in used],
            dates=self.dates and [self.dates[row] for row in used],
            places=self.places and [self.places[row] for row in used],
            beyond=None if self.beyond is None else self.beyond[used],
            skipped=skipped,
            blank={},
        )


def _check_values(x: np.ndarray) -> None:
    """Refuses what is not finite or outside [0, 1]; by blocks, because x may be a memory map."""
    low, high = np.inf, -np.inf
    for i, block in enumerate(blocks.blocks(x)):
        if not (finite := np.isfinite(block).all(axis=1)).all():
            row = i * blocks.BLOCK + int(np.argmin(finite))
            raise UserError(f"x holds NaN or infinity, first in row {row}")
        low, high = min(low, block.min()), max(high, block.max())
    if low < 0 or high > 1:
        raise UserError(f"x should be in [0, 1], found values from {low} to {high}")


def joined(
    x: np.ndarray, labels: np.ndarray, test_x: np.ndarray, test_labels: np.ndarray
) -> Dataset:
    """One dataset of a training set and a test set, in this order."""
    return Dataset(
        x=np.concatenate([x, test_x]),
        labels=np.concatenate([labels, test_labels]).astype(np.int64),
        is_test=np.repeat([False, True], [len(x), len(test_x)]),
    )


def numbered(labels: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels as int64 (N,) from 0 on, and their names in this order; numbers sort as numbers.

    >>> labels, names = numbered(["10", "9", "10"])
    >>> labels.tolist(), names
    ([1, 0, 1], ('9', '10'))
    """
    names = sorted(set(labels), key=lambda name: (len(name) if name.isdecimal() else 1 << 20, name))
    place = {name: i for i, name in enumerate(names)}
    return np.array([place[label] for label in labels], np.int64), tuple(names)


def aside(skipped: Sequence[Skipped]) -> str:
    """What was skipped and why, as an aside of a sentence; nothing where nothing was.

    >>> aside([Skipped("a", "empty")]), aside([])
    (' (skipped: 1 empty)', '')
    """
    return f" (skipped: {counted(skipped)})" if skipped else ""


def counted(skipped: Sequence[Skipped]) -> str:
    """How many were skipped, by kind of reason, the most frequent first.

    >>> counted([Skipped("a", "empty"), Skipped("b", "broken: 1"), Skipped("c", "broken: 2")])
    '2 broken, 1 empty'
    """
    return counted_kinds(by_kind(skipped))


def counted_kinds(kinds: Mapping[str, int]) -> str:
    """The same of numbers by kind."""
    order = sorted(kinds, key=lambda kind: (-kinds[kind], kind))
    return ", ".join(f"{kinds[kind]:,} {kind}" for kind in order)


def by_kind(skipped: Iterable[Skipped]) -> Counter[str]:
    """How many were left out, by their reasons without details.

    >>> by_kind([Skipped("a", "broken: no end")])
    Counter({'broken': 1})
    """
    return Counter(item.reason.partition(":")[0] for item in skipped)


def _found(array: np.ndarray) -> str:
    return f"found {array.dtype} {array.shape}"
