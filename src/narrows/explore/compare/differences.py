"""Two or more sides against the first: what differs, by how much, and for which samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from narrows.clustering import metrics
from narrows.explore.compare.sides import Side, Spread

HIGHER = {
    *("acc", "acc_covered", "nmi", "ari", "purity", "silhouette", "coverage", "psnr", "ssim"),
    *("linear_probe", "knn", "precision_1", "precision_5", "precision_10", "elbo"),
}
LOWER = {"mse", "bce", "loss", "nll", "reconstruction", "penalty"}


@dataclass(frozen=True)
class Param:
    key: str
    values: list[str | None]
    """By side; None where it has no such key."""


@dataclass(frozen=True)
class Metric:
    key: str
    values: list[float | None]
    """By side; a mean over seeds where `sds` has a deviation."""
    sds: list[float | None]
    n_seeds: list[int]
    gains: list[float | None]
    """Of every side against the first one; the first is None."""
    errors: list[float | None]
    """Standard errors of these, where both sides have several seeds."""

    def is_better(self, i: int) -> bool | None:
        """Whether side i beats the first one; None where nobody can say."""
        gain, name = self.gains[i], self.key.rpartition("/")[2].rpartition(".")[2]
        if not gain or name not in HIGHER | LOWER:
            return None
        error = self.errors[i]
        if error is not None and abs(gain) <= 2 * error:
            return None
        return (gain > 0) == (name in HIGHER)


@dataclass(frozen=True)
class Move:
    """Samples that the first side has in one cluster and the other one elsewhere."""

    before: int
    after: int
    rows: np.ndarray
    """Of x.npy."""


@dataclass(frozen=True)
class Agreement:
    first: str
    other: str
    clustering: str
    """Key; empty where each side has one only."""
    n: int
    ari: float | None
    changed: np.ndarray
    """Rows whose cluster is another one, after the best matching of names."""
    moves: list[Move]
    """Largest first."""


def params(sides: Sequence[Side]) -> list[Param]:
    """Those that differ between any two sides, by key."""
    keys = sorted({key for side in sides for key in side.params})
    rows = (Param(key, [side.params.get(key) for side in sides]) for key in keys)
    return [row for row in rows if len(set(row.values)) > 1]


def metric_rows(sides: Sequence[Side]) -> list[Metric]:
    """Scores that at least one side has, those over seeds first."""
    keys = dict.fromkeys(key for side in sides for key in side.spread)
    rows = [_over_seeds(key, [side.spread.get(key) for side in sides]) for key in keys]
    for key in dict.fromkeys(key for side in sides for key in side.metrics):
        values = [side.metrics.get(key) for side in sides]
        gains = [_gain(value, values[0]) for value in values[1:]]
        none: list[float | None] = [None] * len(sides)
        rows.append(Metric(key, values, none, [1] * len(sides), [None, *gains], none))
    return rows


def differing(rows: Sequence[Metric]) -> list[Metric]:
    """Those whose values are not the same on all sides."""
    return [row for row in rows if len(set(row.values)) > 1]


def agreements(sides: Sequence[Side]) -> list[Agreement]:
    """Of every two sides, where both have clusters of the same samples."""
    return [
        _agreement(first.name, other.name, key, one, two)
        for first, other in combinations(sides, 2)
        for key, one, two in _pairs(first, other)
        if len(one) == len(two) and same_data(first, other)
    ]


def changed(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Rows that change their cluster, once the names of `two` are matched to those of `one`.

    >>> changed(np.array([0, 0, 1, 1, 1]), np.array([5, 5, 3, 3, 5])).tolist()
    [4]
    """
    return np.flatnonzero(renamed(one, two) != one)


def renamed(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Clusters `two` (N,) under the names that they have in `one`; what has none is numbered on."""
    kept = (one != metrics.NOISE) & (two != metrics.NOISE)
    names = metrics.matching(one[kept], two[kept]) if kept.any() else {}
    new = iter(range(int(one.max()) + 1, int(one.max()) + 2 + len(np.unique(two))))
    table = {c: metrics.NOISE if c == metrics.NOISE else names.get(c) for c in np.unique(two)}
    told = {c: next(new) if name is None else name for c, name in table.items()}
    return np.array([told[c] for c in two])


def _agreement(first: str, other: str, key: str, one: np.ndarray, two: np.ndarray) -> Agreement:
    after, rows = renamed(one, two), changed(one, two)
    pairs = sorted(set(zip(one[rows].tolist(), after[rows].tolist(), strict=True)))
    moves = [Move(a, b, rows[(one[rows] == a) & (after[rows] == b)]) for a, b in pairs]
    moves.sort(key=lambda move: -len(move.rows))
    return Agreement(first, other, key, len(one), metrics.ari(one, two), rows, moves)


def _pairs(first: Side, other: Side) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Clusterings of the same row; the only one of a row or run goes with any only one."""
    return [(k, v, other.clusters[k]) for k, v in first.clusters.items() if k in other.clusters]


def same_data(one: Side, two: Side) -> bool:
    """Whether their rows are the same samples, as far as they tell."""
    return None in (one.data_digest, two.data_digest) or one.data_digest == two.data_digest


def _over_seeds(key: str, spreads: Sequence[Spread | None]) -> Metric:
    first = spreads[0]
    gains = [s.mean - first.mean if s and first else None for s in spreads[1:]]
    errors = [
        math.sqrt(s.sd**2 / s.n_seeds + first.sd**2 / first.n_seeds) if s and first else None
        for s in spreads[1:]
    ]
    return Metric(
        f"over seeds/{key}",
        [s.mean if s else None for s in spreads],
        [s.sd if s else None for s in spreads],
        [s.n_seeds if s else 0 for s in spreads],
        [None, *gains],
        [None, *errors],
    )


def _gain(value: float | None, first: float | None) -> float | None:
    return None if value is None or first is None else value - first
