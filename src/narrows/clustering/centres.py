"""Clusters by their centres: means of codes, the nearest centre, memberships around centres."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from narrows.clustering.neighbours import finite
from narrows.clustering.state import State


def means(
    codes: Float[np.ndarray, "N D"],
    clusters: Integer[np.ndarray, " N"],
    n_clusters: int | None = None,
    dtype: type[np.floating[Any]] | None = None,
) -> Float[np.ndarray, "K D"]:
    """Mean code of each cluster from 0 to K - 1, nan for a cluster without codes; noise has none.

    Args:
        codes: may be memory-mapped; one cluster is read at a time.
        n_clusters: K; None takes as many as the largest cluster needs.
        dtype: in which codes are added up; None takes that of the codes.

    >>> means(np.array([[0.0], [2.0], [9.0]]), np.array([0, 0, 2])).tolist()
    [[1.0], [nan], [9.0]]
    """
    return _by_cluster(lambda own: own.mean(axis=0, dtype=dtype), codes, clusters, n_clusters)


def variances(
    codes: Float[np.ndarray, "N D"], clusters: Integer[np.ndarray, " N"]
) -> Float[np.ndarray, "K D"]:
    """Variance of each cluster's codes along each axis, as `means` has their mean.

    >>> variances(np.array([[0.0], [2.0], [9.0]]), np.array([0, 0, 1])).tolist()
    [[1.0], [0.0]]
    """
    return _by_cluster(lambda own: own.var(axis=0), codes, clusters, None)


def _by_cluster(
    statistic: Callable[[np.ndarray], np.ndarray],
    codes: np.ndarray,
    clusters: np.ndarray,
    n_clusters: int | None,
) -> np.ndarray:
    k = int(clusters.max(initial=-1)) + 1 if n_clusters is None else n_clusters
    used = np.unique(clusters[clusters >= 0])
    rows = [statistic(codes[clusters == cluster]) for cluster in used]
    table = np.full((k, codes.shape[1]), np.nan, rows[0].dtype if rows else codes.dtype)
    if rows:
        table[used] = rows
    return table


def nearest_centre(state: State, z: np.ndarray) -> np.ndarray:
    """Index (N,) of the nearest of `centres` (K, D) for each code of z (N, D)."""
    from sklearn.metrics import pairwise_distances_argmin

    return pairwise_distances_argmin(finite(z), state["centres"])


def centre_memberships(state: State, z: np.ndarray) -> np.ndarray:
    """Memberships (N, K) of codes (N, D), by how near each of `centres` (K, D) is.

    The Student-t kernel with one degree of freedom, equation 1 of Xie, Girshick & Farhadi 2016
    (arXiv:1511.06335): the nearest centre has the largest share.

    Example:
        A code on one centre and 2 from the other: shares as 1 to 1/5.

        >>> state = {"centres": np.array([[0.0], [2.0]])}
        >>> centre_memberships(state, np.array([[0.0]])).round(4)
        array([[0.8333, 0.1667]])
    """
    from sklearn.metrics import pairwise_distances

    weights = 1 / (1 + pairwise_distances(finite(z), state["centres"], "sqeuclidean"))
    shares: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return shares
