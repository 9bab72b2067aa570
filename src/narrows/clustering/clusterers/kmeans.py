"""K-means with k-means++ starts (Arthur & Vassilvitskii 2007), scikit-learn's.

More than 500,000 codes are taken in mini-batches (Sculley 2010).
"""

from __future__ import annotations

import warnings

import numpy as np
from pydantic import PositiveInt

from narrows.clustering.centres import centre_memberships, nearest_centre
from narrows.clustering.neighbours import at_most, trainable
from narrows.clustering.state import State
from narrows.config.plugins import config

MAX_AT_ONCE = 500_000
"""Codes above which K-means goes by mini-batches."""
BATCH = 10_240
"""Codes of a mini-batch, ten times scikit-learn's default."""

HAS_MEMBERSHIPS = True


@config
class Config:
    n_init: PositiveInt
    """Starts, of which the one with the lowest inertia wins."""


def fit(cfg: Config, z: np.ndarray, n_clusters: int, seed: int) -> State:
    """Centres (n_clusters, D) of the codes z (N, D); fewer if there are fewer distinct codes."""
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    z = trainable(z)
    options = {"n_clusters": at_most(n_clusters, z), "n_init": cfg.n_init, "random_state": seed}
    at_once = len(z) <= MAX_AT_ONCE
    kmeans = KMeans(**options) if at_once else MiniBatchKMeans(**options, batch_size=BATCH)
    with warnings.catch_warnings():
        # codes that differ in their last bit only may still fall together: fewer clusters are fine
        warnings.simplefilter("ignore", ConvergenceWarning)
        kmeans.fit(z)
    return {"centres": kmeans.cluster_centers_}


def predict(state: State, z: np.ndarray) -> np.ndarray:
    """Index (N,) of the nearest centre for each code of z (N, D)."""
    return nearest_centre(state, z)


def soft(state: State, z: np.ndarray) -> np.ndarray:
    """Memberships (N, K) of z (N, D), by how near the centres are."""
    return centre_memberships(state, z)
