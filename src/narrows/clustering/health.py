"""How a deep clustering is doing, update by update, without a label: pure functions of arrays."""

import numpy as np
from jaxtyping import Float, Integer

MIN_SHARE = 1e-3  # of the samples; a cluster with less is not active


def usage(clusters: Integer[np.ndarray, " N"], n_clusters: int) -> Float[np.ndarray, " K"]:
    """Share of the samples in each cluster.

    >>> usage(np.array([0, 2, 2, 2]), 3).tolist()
    [0.25, 0.0, 0.75]
    """
    return np.bincount(clusters, minlength=n_clusters) / max(1, len(clusters))


def effective(share: Float[np.ndarray, " K"]) -> float:
    """Number of equally large clusters with the same entropy: exp(-sum share log share).

    All samples in one cluster are 1, whatever k is; k equal clusters are k; noise alone is 0.
    (Hill 1973, the diversity of order 1.)

    >>> effective(np.array([0.5, 0.5, 0.0]))
    2.0
    """
    used = share[share > 0]
    return float(np.exp(-(used * np.log(used)).sum())) if len(used) else 0.0


def names(
    clusters: Integer[np.ndarray, " N"], before: Integer[np.ndarray, " N"], n_clusters: int
) -> Integer[np.ndarray, " J"]:
    """Numbers for new clusters, such that as many samples as can be keep that of before.

    Returns:
        The number of each cluster, to be used as an index: the last is that of noise, -1, and of
        clusters that are left over when there are more than before.

    Example:
        Cluster 0 was 1, and 1 was 0:

        >>> names(np.array([0, 0, 1, -1]), np.array([1, 1, 0, 0]), 2)
        array([ 1,  0, -1])
    """
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((clusters.max() + 1, n_clusters), dtype=int)
    both = (clusters >= 0) & (before >= 0)
    np.add.at(table, (clusters[both], before[both]), 1)
    found = np.full(len(table) + 1, -1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    found[rows] = columns
    return found


def told(
    clusters: Integer[np.ndarray, " N"],
    before: Integer[np.ndarray, " N"],
    n_clusters: int,
    centres: Float[np.ndarray, "K D"] | None,
) -> dict[str, float]:
    """One line of the health of a run.

    Args:
        clusters, before: now and at the last look; noise is -1.
        centres: None for a method without any.
    """
    share = usage(clusters[clusters >= 0], n_clusters)
    found = {
        "label_change": float(np.mean(clusters != before)),
        "active_clusters": float((share >= MIN_SHARE).sum()),
        "largest_share": float(share.max()),
        "effective_clusters": effective(share),
    }
    if centres is not None and len(centres) > 1:
        gaps = np.linalg.norm(centres[:, None] - centres, axis=2)
        found["centre_distance"] = float(gaps[~np.eye(len(centres), dtype=bool)].min())
    return found
