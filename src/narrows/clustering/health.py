"""How a deep clustering is doing, update by update, without a label: pure functions of arrays."""

import numpy as np
from jaxtyping import Float, Integer

MIN_SHARE = 1e-3
"""Share of the samples below which a cluster is not active."""


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


def measure(
    clusters: Integer[np.ndarray, " N"],
    before: Integer[np.ndarray, " N"],
    n_clusters: int,
    centres: Float[np.ndarray, "K D"] | None,
) -> dict[str, float]:
    """The health of a run at one look, by name.

    Args:
        clusters: clusters (N,) now; noise is -1.
        before: clusters (N,) at the last look.
        centres: centres (K, D); None for a method without any.
    """
    share = usage(clusters[clusters >= 0], n_clusters)
    measured = {
        "label_change": float(np.mean(clusters != before)),
        "active_clusters": float((share >= MIN_SHARE).sum()),
        "largest_share": float(share.max()),
        "effective_clusters": effective(share),
    }
    if centres is not None and len(centres) > 1:
        gaps = np.linalg.norm(centres[:, None] - centres, axis=2)
        measured["centre_distance"] = float(gaps[~np.eye(len(centres), dtype=bool)].min())
    return measured
