"""Two or more sides against the first: what differs, by how much, and for which samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from narrows.clustering import matching, metrics
from narrows.explore.compare.sides import Side, Spread

HIGHER = {
    *("acc", "acc_covered", "nmi", "ari", "purity", "silhouette", "coverage", "psnr", "ssim"),
    *("neighbours", "linear_probe", "knn", "precision_1", "precision_5", "precision_10", "elbo"),
}
LOWER = {"mse", "bce", "loss", "nll", "reconstruction", "penalty"}


@dataclass(frozen=True)
class Param:
    """A parameter on every side."""

    key: str
    """Dotted key of the parameter."""
    values: list[str | None]
    """Value by side; None where the side has no such key, or does not know it."""


@dataclass(frozen=True)
class Score:
    """A score of one side, and its difference from the first side's."""

    value: float | None
    """The score, or its mean over seeds; None where the side has none."""
    sd: float | None = None
    """Standard deviation over seeds; None for a score of one seed."""
    n_seeds: int = 1
    """Number of seeds; 0 where the side has no score over seeds."""
    gain: float | None = None
    """Value minus that of the first side; None for the first side itself."""
    error: float | None = None
    """Standard error of the gain; None unless both sides have several seeds."""


@dataclass(frozen=True)
class Metric:
    """A score on every side."""

    key: str
    """MLflow's key of the score, or "over seeds/" and its name."""
    scores: list[Score]
    """Scores by side."""

    @property
    def differs(self) -> bool:
        """Whether not all sides that have the score have the same value."""
        return len({score.value for score in self.scores} - {None}) > 1

    def is_better(self, i: int) -> bool | None:
        """Whether side i beats the first one; None where nobody can say.

        A gain over seeds counts beyond two standard errors.
        """
        gain, error = self.scores[i].gain, self.scores[i].error
        name = self.key.rpartition("/")[2].rpartition(".")[2]
        if not gain or name not in HIGHER | LOWER:
            return None
        if error is not None and abs(gain) <= 2 * error:
            return None
        return (gain > 0) == (name in HIGHER)


@dataclass(frozen=True)
class Move:
    """Samples that the first side has in one cluster and the other side in another."""

    before: int
    """Cluster on the first side."""
    after: int
    """Cluster on the other side, under the name that it has on the first."""
    rows: np.ndarray
    """Rows of x.npy that move."""


@dataclass(frozen=True)
class Agreement:
    """Two sides' clusters of the same samples."""

    first: str
    """Name of one side, whose names of clusters count."""
    other: str
    """Name of the other side."""
    clustering: str
    """Key of the clustering; empty where each side has one only."""
    n: int
    """Number of samples."""
    ari: float | None
    """Adjusted Rand index; None where it is not defined."""
    changed: np.ndarray
    """Rows whose cluster is another one, after the best matching of names."""
    moves: list[Move]
    """Moves between clusters, the largest first."""


@dataclass(frozen=True)
class Comparison:
    """All that a page or a terminal shows of two or more sides."""

    sides: Sequence[Side]
    """The sides, as the user named them; the first one is what the others are measured against."""
    params: list[Param]
    """Parameters that differ, by key."""
    n_params: int
    """Number of parameters that can be compared, equal ones included."""
    metrics: list[Metric]
    """Scores that two sides or more have, those over seeds first."""
    agreements: list[Agreement]
    """Agreements of every two sides that have clusters of the same samples."""

    @property
    def differing(self) -> list[Metric]:
        """Scores whose values are not the same on all sides."""
        return [metric for metric in self.metrics if metric.differs]


def compare(sides: Sequence[Side]) -> Comparison:
    """Everything that differs between the sides, computed once."""
    known = _known_params(sides)
    return Comparison(sides, params(sides), len(known), metric_rows(sides), agreements(sides))


def params(sides: Sequence[Side]) -> list[Param]:
    """Parameters that differ between any two sides that know them, by key."""
    keys = sorted(key for key, values in _known_params(sides).items() if len(set(values)) > 1)
    return [Param(key, [side.params.get(key) for side in sides]) for key in keys]


def metric_rows(sides: Sequence[Side]) -> list[Metric]:
    """Scores that two sides or more have, those over seeds first."""
    over_seeds = dict.fromkeys(key for side in sides for key in side.spread)
    of_one_seed = dict.fromkeys(key for side in sides for key in side.metrics)
    rows = [
        *(_over_seeds(key, [side.spread.get(key) for side in sides]) for key in over_seeds),
        *(_of_one_seed(key, [side.metrics.get(key) for side in sides]) for key in of_one_seed),
    ]
    return [row for row in rows if sum(score.value is not None for score in row.scores) > 1]


def agreements(sides: Sequence[Side]) -> list[Agreement]:
    """Agreements of every two sides, for clusterings that both have of the same samples."""
    return [
        _agreement(first.name, other.name, key, clusters, other.clusters[key])
        for first, other in combinations(sides, 2)
        for key, clusters in first.clusters.items()
        if key in other.clusters
        if len(clusters) == len(other.clusters[key]) and same_data(first, other)
    ]


def renamed(first: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Clusters `other` (N,) under the names of the best matching clusters of `first` (N,).

    Noise stays noise; clusters without a match are numbered on.

    >>> renamed(np.array([0, 0, 1, 1, 1]), np.array([5, 5, 3, 3, 5])).tolist()
    [0, 0, 1, 1, 0]
    >>> renamed(np.array([0, 0, 0, -1]), np.array([7, 7, 4, -1])).tolist()
    [0, 0, 1, -1]
    """
    in_both = (first != matching.NOISE) & (other != matching.NOISE)
    names = matching.pairs(first[in_both], other[in_both]) if in_both.any() else {}
    return matching.renamed(other, names, first_free=int(first.max()) + 1)


def same_data(first: Side, other: Side) -> bool:
    """Whether the rows of both are the same samples, as far as they tell."""
    digests = (first.data_digest, other.data_digest)
    return None in digests or digests[0] == digests[1]


def _known_params(sides: Sequence[Side]) -> dict[str, list[str | None]]:
    """Values by key, of the sides that know the parameter; keys that two sides or more know."""
    known = {
        key: [side.params.get(key) for side in sides if key in side.params or side.has_all_params]
        for key in {key for side in sides for key in side.params}
    }
    return {key: values for key, values in known.items() if len(values) > 1}


def _agreement(
    first: str, other: str, key: str, before: np.ndarray, clusters: np.ndarray
) -> Agreement:
    """How well two clusterings (N,) of the same samples agree, and what moves between them."""
    after = renamed(before, clusters)
    rows = np.flatnonzero(after != before)
    pairs = sorted(set(zip(before[rows].tolist(), after[rows].tolist(), strict=True)))
    moves = [Move(b, a, rows[(before[rows] == b) & (after[rows] == a)]) for b, a in pairs]
    moves.sort(key=lambda move: -len(move.rows))
    ari = metrics.ari(before, clusters)
    return Agreement(first, other, key, len(before), ari, rows, moves)


def _over_seeds(key: str, spreads: Sequence[Spread | None]) -> Metric:
    """A score over seeds; the variance of a difference of means is the sum of theirs."""
    first = spreads[0]
    scores = [Score(s.mean, s.sd, s.n_seeds) if s else Score(None, n_seeds=0) for s in spreads]
    for i, spread in enumerate(spreads[1:], start=1):
        if spread and first:
            gain = spread.mean - first.mean
            error = math.sqrt(spread.sd**2 / spread.n_seeds + first.sd**2 / first.n_seeds)
            scores[i] = Score(spread.mean, spread.sd, spread.n_seeds, gain, error)
    return Metric(f"over seeds/{key}", scores)


def _of_one_seed(key: str, values: Sequence[float | None]) -> Metric:
    first, *others = values
    gains = [None if v is None or first is None else v - first for v in others]
    scores = [Score(v, gain=gain) for v, gain in zip(values, [None, *gains], strict=True)]
    return Metric(key, scores)
