"""Clusters of two clusterings, or clusters and labels, one to one; and names carried over."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Integer

Ids = Integer[np.ndarray, " N"]
NOISE = -1
"""Cluster of points that their method put into no cluster."""


def pairs(labels: Ids, clusters: Ids) -> dict[int, int]:
    """The one-to-one matching {cluster: label} that most points agree with.

    The Hungarian algorithm on the table of counts, as in Xie et al. 2016 (arXiv:1511.06335).
    Where there are more clusters than labels, or fewer, the surplus stays unmatched;
    so does a pair that shares no point. Noise takes no label from a cluster.

    Example:
        Cluster 5 holds labels 0, 0 and 1, cluster 3 one 1, cluster 7 one 0:

        >>> pairs(np.array([0, 0, 1, 1, 0]), np.array([5, 5, 5, 3, 7]))
        {3: 1, 5: 0}
    """
    covered = clusters != NOISE
    counts, label_ids, cluster_ids = contingency(labels[covered], clusters[covered])
    rows, columns = _best_pairs(counts)
    shared = counts[rows, columns] > 0
    clusters, labels = cluster_ids[columns[shared]], label_ids[rows[shared]]
    return dict(sorted(zip(clusters.tolist(), labels.tolist(), strict=True)))


def renumbering(clusters: Ids, before: Ids, n_clusters: int) -> Integer[np.ndarray, " J"]:
    """Numbers for new clusters, such that as many samples as can be keep that of before.

    Args:
        clusters: new clusters (N,); noise is -1.
        before: clusters (N,) of the same samples, below `n_clusters`.

    Returns:
        The number of each cluster, to be used as an index: the last is that of noise, -1, and of
        clusters that are left over when there are more than before.

    Example:
        Cluster 0 was 1, and 1 was 0:

        >>> renumbering(np.array([0, 0, 1, -1]), np.array([1, 1, 0, 0]), 2)
        array([ 1,  0, -1])
    """
    counts = np.zeros((clusters.max() + 1, n_clusters), dtype=int)
    in_both = (clusters >= 0) & (before >= 0)
    np.add.at(counts, (clusters[in_both], before[in_both]), 1)
    numbers = np.full(len(counts) + 1, NOISE)
    rows, columns = _best_pairs(counts)
    numbers[rows] = columns
    return numbers


def renamed(clusters: Ids, names: Mapping[int, int], first_free: int) -> Ids:
    """Clusters under other names; those without one are numbered from `first_free` on.

    Args:
        clusters: clusters (N,); noise stays noise.
        names: new number by cluster, as `pairs` returns them.

    >>> renamed(np.array([5, 3, -1, 7, 5]), {3: 1, 5: 0}, first_free=2).tolist()
    [0, 1, -1, 2, 0]
    """
    ids, places = np.unique(clusters, return_inverse=True)
    surplus = [c for c in ids.tolist() if c not in names and c != NOISE]
    numbers = {NOISE: NOISE, **names, **{c: first_free + i for i, c in enumerate(surplus)}}
    return np.array([numbers[c] for c in ids.tolist()], dtype=int)[places]


def contingency(
    labels: Ids, clusters: Ids
) -> tuple[Integer[np.ndarray, "L K"], Integer[np.ndarray, " L"], Integer[np.ndarray, " K"]]:
    """Counts of every (label, cluster) pair, and the ids of the rows and of the columns, ascending.

    >>> contingency(np.array([0, 0, 1]), np.array([4, 9, 9]))[0].tolist()
    [[1, 1], [0, 1]]
    """
    from sklearn.metrics.cluster import contingency_matrix

    return contingency_matrix(labels, clusters), np.unique(labels), np.unique(clusters)


def _best_pairs(
    counts: Integer[np.ndarray, "L K"],
) -> tuple[Integer[np.ndarray, " M"], Integer[np.ndarray, " M"]]:
    """Rows and columns, each at most once, whose counts have the largest sum (Kuhn 1955)."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(counts, maximize=True)
    return rows, columns
