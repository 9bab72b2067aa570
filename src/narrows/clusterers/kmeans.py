"""K-means with k-means++ starts (Arthur & Vassilvitskii 2007), scikit-learn's."""

from __future__ import annotations

import numpy as np
from pydantic import PositiveInt

from narrows.plugins import config


@config
class Config:
    n_init: PositiveInt
    """Starts, of which the one with the lowest inertia wins."""


def fit(cfg: Config, z: np.ndarray, n_clusters: int, seed: int) -> dict[str, np.ndarray]:
    """Centres (n_clusters, D) of the codes z (N, D)."""
    from sklearn.cluster import KMeans

    kmeans = KMeans(n_clusters, n_init=cfg.n_init, random_state=seed).fit(z)
    return {"centres": kmeans.cluster_centers_}


def predict(state: dict[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    """Index (N,) of the nearest centre for each code of z (N, D)."""
    from sklearn.metrics import pairwise_distances_argmin

    return pairwise_distances_argmin(z, state["centres"])
