"""Codes as points: which ones a clusterer can learn from, which are equal, and which are near."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float, Integer, Shaped

from narrows.clustering.state import State
from narrows.data import blocks
from narrows.errors import UserError

BLOCK = 2**14
"""Codes that are looked at together where all of them are."""
MAX_FITTED = 100_000
"""Codes that a method with neighbours or a mixture learns from, at most."""


def finite(z: np.ndarray) -> np.ndarray:
    """The codes (N, D), with zeros of one sign, so that equal codes have equal bytes: themselves if
    they are so already.

    Raises:
        UserError: a value is not finite.
    """
    bad = n_negative = 0
    for part in blocks.blocks(z, BLOCK):
        bad += int((~np.isfinite(part)).any(axis=1).sum())
        n_negative += int(np.count_nonzero(np.signbit(part) & (part == 0)))
    if bad:
        raise UserError(
            f"clusterings: {bad:,} of {len(z):,} codes have a value that is not finite; "
            "the encoder has to be trained again, with a lower learning rate for instance"
        )
    z = np.ascontiguousarray(z)
    return z + 0 if n_negative else z


def trainable(z: np.ndarray) -> np.ndarray:
    """The codes (N, D) that a clusterer is fitted on, as `finite` returns them.

    Raises:
        UserError: a value is not finite, or there are fewer than two codes.
    """
    if len(z) < 2:
        raise UserError(f"clusterings: a clusterer needs at least 2 train rows, found {len(z)}")
    return finite(z)


def trainable_subset(z: np.ndarray, seed: int) -> np.ndarray:
    """At most 100,000 of the codes (N, D) to fit, drawn by the seed; raises as `trainable` does.

    `predict` gives the others their clusters.
    """
    return trainable(z[blocks.subset(np.arange(len(z)), MAX_FITTED, seed)])


def distinct(
    z: Shaped[np.ndarray, "N D"],
) -> tuple[Integer[np.ndarray, " M"], Integer[np.ndarray, " N"]]:
    """Rows (M,) of the first of each set of equal codes, and the set (N,) of every code.

    Equal is what has equal bytes. Sets are numbered in the order in which they come.

    >>> rows, sets = distinct(np.array([[7.0], [5.0], [7.0]]))
    >>> rows.tolist(), sets.tolist()
    ([0, 1], [0, 1, 0])
    """
    z = np.ascontiguousarray(z)
    row_bytes = z.view(np.dtype((np.void, z.itemsize * z.shape[1])))[:, 0]  # (N,)
    _, first, sets = np.unique(row_bytes, return_index=True, return_inverse=True)
    order = np.argsort(first)  # numpy sorts the sets by their bytes
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.arange(len(order))
    return first[order], numbers[sets]


def at_most(n_clusters: int, z: np.ndarray) -> int:
    """`n_clusters`, or the number of distinct codes where that is lower."""
    n_seen = 4 * n_clusters  # most codes differ, so that the first ones say enough
    while (n := len(distinct(z[:n_seen])[0])) < n_clusters and n_seen < len(z):
        n_seen *= 4
    return min(n_clusters, n)


def nearest(
    codes: Float[np.ndarray, "M D"], z: Float[np.ndarray, "N D"] | None, n: int
) -> Integer[np.ndarray, "N n_neighbours"]:
    """Rows of the codes (M, D) nearest to each of z (N, D), by Euclidean distance, nearest first.

    n of them, or as many as there are. Where z is None: the nearest other codes of each code.

    >>> nearest(np.array([[0.0], [5.0], [6.0]]), np.array([[4.0]]), 2).tolist()
    [[1, 2]]
    >>> nearest(np.array([[0.0], [1.0], [3.0]]), None, 1).tolist()
    [[1], [0], [1]]
    """
    n = min(n, len(codes) - (z is None))
    if n < 1:
        return np.empty((len(codes) if z is None else len(z), 0), int)
    return _search(codes, z, n, "brute")[1]


def nearest_known(
    codes: Float[np.ndarray, "M D"], z: Float[np.ndarray, "N D"], n: int
) -> tuple[Float[np.ndarray, "N n"], Integer[np.ndarray, "N n"]]:
    """Distances and rows (N, n) of the nearest of the codes (M, D), nearest first.

    A code that is among `codes` has itself first, at 0: in many dimensions sklearn subtracts
    squared norms, and the rounding may put another one there.
    """
    z = z.astype(codes.dtype, copy=False)
    distances, rows = _search(codes, z, n, "auto")
    _, sets = distinct(np.concatenate([codes, z]))  # (M + N,)
    own = np.full(len(sets), -1)
    own[sets[: len(codes)]] = np.arange(len(codes))  # row of the code with these bytes
    own = own[sets[len(codes) :]]  # (N,)
    is_known = own >= 0
    distances[is_known, 0], rows[is_known, 0] = 0, own[is_known]
    return distances, rows


def _search(
    codes: np.ndarray, z: np.ndarray | None, n: int, algorithm: Literal["auto", "brute"]
) -> tuple[np.ndarray, np.ndarray]:
    """Distances and rows (N, n): the one place that asks scikit-learn."""
    from sklearn.neighbors import NearestNeighbors

    distances, rows = NearestNeighbors(n_neighbors=n, algorithm=algorithm).fit(codes).kneighbors(z)
    return distances, rows


def known_codes(z: np.ndarray, clusters: np.ndarray) -> State:
    """Distinct codes (M, D) and their clusters (M,); equal codes take that of their first."""
    rows, _ = distinct(z)
    return {"codes": z[rows], "clusters": clusters[rows]}


def nearest_cluster(state: State, z: np.ndarray) -> np.ndarray:
    """Cluster (N,) of the nearest of the known codes for each code of z (N, D)."""
    return state["clusters"][nearest_known(state["codes"], finite(z), 1)[1][:, 0]]


def n_known_clusters(state: State) -> int:
    """Number of clusters among the known codes; noise, -1, is none."""
    return int(state["clusters"].max(initial=-1)) + 1
