"""K-means on small random batches (Sculley 2010), scikit-learn's: for many rows."""

from __future__ import annotations

import numpy as np
from pydantic import PositiveInt

from narrows.clustering.centres import centre_memberships, nearest_centre
from narrows.clustering.neighbours import at_most, trainable
from narrows.clustering.state import State
from narrows.config.plugins import config

HAS_MEMBERSHIPS = True


@config
class Config:
    batch_size: PositiveInt
    """Codes per step."""
    n_init: PositiveInt
    """Starts, each judged on a random subset; the best one is then followed."""


def fit(cfg: Config, z: np.ndarray, n_clusters: int, seed: int) -> State:
    """Centres (n_clusters, D) of the codes z (N, D); fewer if there are fewer distinct codes."""
    from sklearn.cluster import MiniBatchKMeans

    z = trainable(z)
    kmeans = MiniBatchKMeans(
        at_most(n_clusters, z), batch_size=cfg.batch_size, n_init=cfg.n_init, random_state=seed
    ).fit(z)
    return {"centres": kmeans.cluster_centers_}


def predict(state: State, z: np.ndarray) -> np.ndarray:
    """Index (N,) of the nearest centre for each code of z (N, D)."""
    return nearest_centre(state, z)


def soft(state: State, z: np.ndarray) -> np.ndarray:
    """Memberships (N, K) of z (N, D), by how near the centres are."""
    return centre_memberships(state, z)
