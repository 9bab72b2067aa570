"""Scores of a clustering: pure functions of labels, clusters and points.

`labels` (N,) is ground truth, `clusters` (N,) what a method predicted; both are integers, -1 in
`clusters` is noise: a point its method put into no cluster. Noise is no cluster here. Accuracy
counts it as wrong; NMI, ARI, purity and silhouette look at the other points only and are to be
read beside `coverage`. A score that is not defined is None, never nan.
"""

import numpy as np
from jaxtyping import Integer, Shaped
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    silhouette_score,
)
from sklearn.metrics.cluster import contingency_matrix

Ids = Integer[np.ndarray, " N"]
NOISE = -1
MAX_SILHOUETTE_ROWS = 2_000


def matching(labels: Ids, clusters: Ids) -> dict[int, int]:
    """The one-to-one matching {cluster: label} that most points agree with.

    The Hungarian algorithm on the table of counts, as in Xie et al. 2016 (arXiv:1511.06335).
    Where there are more clusters than labels, or fewer, the surplus stays unmatched;
    so does a pair that shares no point. Noise takes no label from a cluster.

    Example:
        Cluster 5 holds labels 0, 0 and 1, cluster 3 one 1, cluster 7 one 0:

        >>> matching(np.array([0, 0, 1, 1, 0]), np.array([5, 5, 5, 3, 7]))
        {3: 1, 5: 0}
    """
    kept = clusters != NOISE
    counts, label_ids, cluster_ids = contingency(labels[kept], clusters[kept])
    rows, columns = linear_sum_assignment(counts, maximize=True)
    pairs = [
        (int(cluster_ids[column]), int(label_ids[row]))
        for row, column in zip(rows, columns, strict=True)
        if counts[row, column] > 0
    ]
    return dict(sorted(pairs))


def accuracy(labels: Ids, clusters: Ids, matching: dict[int, int]) -> float:
    """Share of points whose cluster is matched to their label, in [0, 1].

    The matching is an argument, so that it can be fitted on the train split and applied to
    validation and test: fitted on the points it scores, it flatters small splits. Points of an
    unmatched cluster and noise are wrong.

    >>> accuracy(np.array([0, 0, 1, 1]), np.array([5, 5, 3, -1]), {5: 0, 3: 1})
    0.75
    """
    hits = [matching.get(c) == y for c, y in zip(clusters.tolist(), labels.tolist(), strict=True)]
    return float(np.mean(hits))


def nmi(labels: Ids, clusters: Ids) -> float | None:
    """Normalised mutual information, in [0, 1]; the arithmetic mean of the entropies normalises.

        NMI = I(labels; clusters) / (H(labels)/2 + H(clusters)/2)

    Pinned because papers differ in the mean they take. None if all is noise.

    Example:
        One bit of information, entropies of 1 and 2 bits: 1 / 1.5.

        >>> round(nmi(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 3])), 4)
        0.6667
    """
    labels, clusters = _covered(labels, clusters)
    if len(clusters) == 0:
        return None
    return float(normalized_mutual_info_score(labels, clusters, average_method="arithmetic"))


def ari(labels: Ids, clusters: Ids) -> float | None:
    """Adjusted Rand index (Hubert & Arabie 1985): 1 is perfect, 0 chance; the floor is -1/2.

    None if all is noise.

    Example:
        Of the 6 pairs, 2 share a label, 2 a cluster, none both: (0 - 4/6) / (2 - 4/6).

        >>> ari(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
        -0.5
    """
    labels, clusters = _covered(labels, clusters)
    return float(adjusted_rand_score(labels, clusters)) if len(clusters) else None


def purity(labels: Ids, clusters: Ids) -> float | None:
    """Share of points whose label is the commonest one of their cluster, in (0, 1].

    It grows with the number of clusters (every point its own cluster is pure), so compare it at
    one k. None if all is noise.

    >>> purity(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]))
    0.75
    """
    labels, clusters = _covered(labels, clusters)
    if len(clusters) == 0:
        return None
    return float(contingency_matrix(labels, clusters).max(axis=0).sum() / len(clusters))


def coverage(clusters: Ids) -> float:
    """Share of points that are not noise, in [0, 1].

    >>> coverage(np.array([0, 1, 1, -1]))
    0.75
    """
    return float(np.mean(clusters != NOISE))


def silhouette(z: Shaped[np.ndarray, "N D"], clusters: Ids, seed: int) -> float | None:
    """Mean of (b - a) / max(a, b), in [-1, 1]; needs no labels (Rousseeuw 1987).

    a is a point's mean Euclidean distance to its own cluster, b to the nearest other one. Two
    values compare only if `z` is the same space: a code that squeezes everything into tight
    blobs scores high in its own space, right or wrong.

    At most 2,000 points, drawn by `seed`, are scored, since the distances of 70,000 would fill
    39 GB; the standard error of the mean is then below 0.023. None with fewer than two clusters,
    or with every point its own.

    Example:
        Outer points are 1 from their own and 10.5 from the others on average, inner ones 1 and
        9.5, so the mean is (9.5 / 10.5 + 8.5 / 9.5) / 2:

        >>> z = np.array([[0.0], [1.0], [10.0], [11.0]])
        >>> round(silhouette(z, np.array([0, 0, 1, 1]), seed=0), 4)
        0.8997
    """
    rows = np.flatnonzero(clusters != NOISE)
    if len(rows) > MAX_SILHOUETTE_ROWS:
        rows = np.random.default_rng(seed).choice(rows, MAX_SILHOUETTE_ROWS, replace=False)
    if not 2 <= len(np.unique(clusters[rows])) < len(rows):
        return None
    return float(silhouette_score(z[rows].astype(np.float32), clusters[rows]))


def contingency(
    labels: Ids, clusters: Ids
) -> tuple[Integer[np.ndarray, "L K"], Integer[np.ndarray, " L"], Integer[np.ndarray, " K"]]:
    """Counts of every (label, cluster) pair, and the ids of the rows and of the columns, ascending.

    >>> contingency(np.array([0, 0, 1]), np.array([4, 9, 9]))[0].tolist()
    [[1, 1], [0, 1]]
    """
    return contingency_matrix(labels, clusters), np.unique(labels), np.unique(clusters)


def _covered(
    labels: Ids, clusters: Ids
) -> tuple[Integer[np.ndarray, " M"], Integer[np.ndarray, " M"]]:
    kept = clusters != NOISE
    return labels[kept], clusters[kept]
