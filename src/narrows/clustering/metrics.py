"""Scores of a clustering: pure functions of labels, clusters and points.

`labels` (N,) is ground truth, `clusters` (N,) what a method predicted; both are integers, -1 in
`clusters` is noise: a point its method put into no cluster. Noise is no cluster here. Accuracy
counts it as wrong; NMI, ARI, purity and silhouette look at the other points only and are to be
read beside `coverage`. A score that is not defined is None, never nan.
"""

import numpy as np
from jaxtyping import Integer, Shaped
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    silhouette_score,
)
from sklearn.metrics.cluster import contingency_matrix

from narrows.clustering.matching import NOISE, Ids

MAX_SILHOUETTE_ROWS = 2_000
"""Points whose distances are computed for a silhouette, at most."""


def accuracy(labels: Ids, clusters: Ids, pairs: dict[int, int]) -> float:
    """Share of points whose cluster is matched to their label, in [0, 1].

    The matching is an argument, so that it can be fitted on the train split and applied to
    validation and test: fitted on the points it scores, it flatters small splits. Points of an
    unmatched cluster and noise are wrong.

    >>> accuracy(np.array([0, 0, 1, 1]), np.array([5, 5, 3, -1]), {5: 0, 3: 1})
    0.75
    """
    ids, places = np.unique(clusters, return_inverse=True)  # (K,), (N,)
    is_matched = np.array([c in pairs for c in ids.tolist()], dtype=bool)
    label_of = np.array([pairs.get(c, 0) for c in ids.tolist()], dtype=int)
    return float(np.mean(is_matched[places] & (label_of[places] == labels)))


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


def _covered(
    labels: Ids, clusters: Ids
) -> tuple[Integer[np.ndarray, " M"], Integer[np.ndarray, " M"]]:
    """Labels and clusters of the points that are not noise."""
    covered = clusters != NOISE
    return labels[covered], clusters[covered]
