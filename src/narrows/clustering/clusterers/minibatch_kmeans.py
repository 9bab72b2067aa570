"""K-means on small random batches (Sculley 2010), scikit-learn's: for many rows."""

from __future__ import annotations

import numpy as np
from pydantic import PositiveInt

from narrows.clustering.clusterers._base import around_centres, at_most, nearest_centre, training
from narrows.config.plugins import config


@config
class Config:
    batch_size: PositiveInt
    """Codes per step."""
    n_init: PositiveInt
    """Starts, each judged on a random subset; the best one is then followed."""


def fit(cfg: Config, z: np.ndarray, n_clusters: int, seed: int) -> dict[str, np.ndarray]:
    """Centres (n_clusters, D) of the codes z (N, D); fewer if there are fewer distinct codes."""
    from sklearn.cluster import MiniBatchKMeans

    z = training(z)
    kmeans = MiniBatchKMeans(
        at_most(n_clusters, z), batch_size=cfg.batch_size, n_init=cfg.n_init, random_state=seed
    ).fit(z)
    return {"centres": kmeans.cluster_centers_}


def predict(state: dict[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    """Index (N,) of the nearest centre for each code of z (N, D)."""
    return nearest_centre(state, z)


def soft(state: dict[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    """Memberships (N, K) of z (N, D), by how near the centres are."""
    return around_centres(state, z)
