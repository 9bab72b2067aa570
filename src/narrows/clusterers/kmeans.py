"""K-means with k-means++ starts (Arthur & Vassilvitskii 2007), scikit-learn's."""

from __future__ import annotations

import warnings

import numpy as np
from pydantic import PositiveInt

from narrows.clusterers._base import around_centres, at_most, nearest_centre, training
from narrows.plugins import config


@config
class Config:
    n_init: PositiveInt
    """Starts, of which the one with the lowest inertia wins."""


def fit(cfg: Config, z: np.ndarray, n_clusters: int, seed: int) -> dict[str, np.ndarray]:
    """Centres (n_clusters, D) of the codes z (N, D); fewer if there are fewer distinct codes."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    z = training(z)
    kmeans = KMeans(at_most(n_clusters, z), n_init=cfg.n_init, random_state=seed)
    with warnings.catch_warnings():
        # codes that differ in their last bit only may still fall together: fewer clusters are fine
        warnings.simplefilter("ignore", ConvergenceWarning)
        kmeans.fit(z)
    return {"centres": kmeans.cluster_centers_}


def predict(state: dict[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    """Index (N,) of the nearest centre for each code of z (N, D)."""
    return nearest_centre(state, z)


def soft(state: dict[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    """Memberships (N, K) of z (N, D), by how near the centres are."""
    return around_centres(state, z)
