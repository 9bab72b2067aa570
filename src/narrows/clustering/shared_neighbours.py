"""The graph of codes that share neighbours, and how well clusters cut it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer
from scipy import sparse

from narrows.clustering.neighbours import distinct, nearest

N_NEIGHBOURS = 20
"""Neighbours of a code, as many as shape its map; fewer give finer groups, more coarser ones."""
LEAST_FRACTION = 6
"""A code has at most one in so many codes as neighbours, or those of little data are everybody."""
LEAST_LINK = 1 / 15
"""What is less in common is no link."""
HUB, HUB_SHARE = 200, 0.1
"""A code that is a neighbour of more others than this, and of a larger share, is everybody's: an
empty document for instance, to which all are equally near. It links nobody with anybody."""


def rows_with_room(z: Float[np.ndarray, "N D"]) -> Integer[np.ndarray, " M"]:
    """Rows (M,) of the codes z without those of which there are more equal ones than neighbours.

    A thousand equal codes would be each other's only neighbours, with a million links.

    >>> rows_with_room(np.zeros((1000, 2))).tolist() == list(range(21))
    True
    """
    _, sets = distinct(z)
    order = np.argsort(sets, kind="stable")
    place = np.arange(len(z)) - np.searchsorted(sets[order], sets[order])  # among its equals
    return np.sort(order[place <= N_NEIGHBOURS])


def links(z: Float[np.ndarray, "N D"]) -> sparse.csr_array:
    """Weights (N, N) of the graph of shared neighbours (Jarvis & Patrick 1973) of codes z.

        w_ij = |A_i & A_j| / |A_i | A_j|

    A_i are the 20 codes nearest to code i, and i itself. That two codes share neighbours says
    more, where there are many dimensions, than that they are near. The Jaccard index as weight, 20
    neighbours and no links below 1/15 are those of Seurat's `FindNeighbors`. No code is linked
    with itself.

    Example:
        Two pairs far apart, of each of which the nearest code is the other:

        >>> links(np.array([[0.0], [1.0], [10.0], [11.0]])).toarray().tolist()
        [[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]]
    """
    n = len(z)
    others = nearest(z, None, min(N_NEIGHBOURS, max(1, n // LEAST_FRACTION)))
    near = np.column_stack([np.arange(n), others])  # (N, k)
    starts = np.arange(0, near.size + 1, near.shape[1])
    lists = sparse.csr_array((np.ones(near.size), near.ravel(), starts), (n, n))
    lists = lists[:, lists.sum(axis=0) <= max(HUB, HUB_SHARE * n)]
    sizes, shared = lists.sum(axis=1), (lists @ lists.T).tocoo()
    weights = shared.data / (sizes[shared.row] + sizes[shared.col] - shared.data)
    is_link = (weights >= LEAST_LINK) & (shared.row != shared.col)
    ends = (shared.row[is_link], shared.col[is_link])
    return sparse.csr_array((weights[is_link], ends), (n, n))


def modularity(graph: sparse.csr_array, clusters: Integer[np.ndarray, " N"]) -> float:
    """Share of the links that stay inside clusters, less what chance would leave there.

        Q = sum_c (e_cc - a_c^2),  a_c = sum_d e_cd

    e_cd is the share of all weight that links cluster c with d, each link counted from both of its
    ends: equation 5 of Newman & Girvan 2004 (arXiv:cond-mat/0308217). At most 1; 0 of a single
    cluster, and of a graph without links.

    Args:
        graph: weights (N, N), symmetric.
        clusters: from 0 on; there is no noise.

    Example:
        Two pairs, cut well and badly: 1 - 2 / 4, and 0 - 2 / 4.

        >>> pairs = links(np.array([[0.0], [1.0], [10.0], [11.0]]))
        >>> modularity(pairs, np.array([0, 0, 1, 1])), modularity(pairs, np.array([0, 1, 0, 1]))
        (0.5, -0.5)
    """
    shares = link_shares(graph, clusters)
    return float(np.trace(shares) - np.square(shares.sum(axis=1)).sum())


def link_shares(
    graph: sparse.csr_array, clusters: Integer[np.ndarray, " N"]
) -> Float[np.ndarray, "K K"]:
    """Share of all weight that links each cluster with each, e_cd of `modularity`; 0 without links.

    >>> pairs = links(np.array([[0.0], [1.0], [10.0], [11.0]]))
    >>> link_shares(pairs, np.array([0, 0, 1, 1])).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    k, ends = int(clusters.max()) + 1, graph.tocoo()
    between = clusters[ends.row].astype(np.int64) * k + clusters[ends.col]
    shares = np.bincount(between, weights=ends.data, minlength=k * k).reshape(k, k)
    every: np.ndarray = shares / (shares.sum() or 1.0)
    return every
