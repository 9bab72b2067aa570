"""HDBSCAN (Campello et al. 2013), scikit-learn's: what clusterers by density share."""

import numpy as np

from narrows.clustering.neighbours import distinct


def hdbscan(z: np.ndarray, min_cluster_size: int, min_samples: int) -> np.ndarray:
    """Clusters (N,) of the codes z (N, D), -1 is noise."""
    from sklearn.cluster import HDBSCAN

    if min_cluster_size > len(z) or len(distinct(z)[0]) == 1:
        return np.full(len(z), -1)  # nothing is large enough, or nothing is denser than the rest
    n = min(min_samples, len(z))
    return HDBSCAN(min_cluster_size=min_cluster_size, min_samples=n, copy=True).fit(z).labels_
