"""Bottom-up merging (Ward 1963) along the graph of nearest neighbours, scikit-learn's.

Only neighbours in the graph may merge, so memory grows with N and not with its square. A code
joins the cluster of the nearest training code.
"""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
from pydantic import PositiveInt

from narrows.clustering.neighbours import (
    at_most,
    known_codes,
    n_known_clusters,
    nearest_cluster,
    trainable_subset,
)
from narrows.clustering.state import State, one_hot
from narrows.config.plugins import config

HAS_MEMBERSHIPS = False


@config
class Config:
    linkage: Literal["ward", "average", "complete"]
    """What a merge keeps low: the variance within, the mean distance or the largest distance."""
    n_neighbors: PositiveInt
    """Nearest neighbours that a code may merge with."""


def fit(cfg: Config, z: np.ndarray, n_clusters: int, seed: int) -> State:
    """Training codes and their clusters."""
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.neighbors import kneighbors_graph

    z = trainable_subset(z, seed)
    graph = kneighbors_graph(z, min(cfg.n_neighbors, len(z) - 1))
    with warnings.catch_warnings():
        # far groups are what is looked for; sklearn joins them at their nearest codes
        warnings.filterwarnings("ignore", "the number of connected components", UserWarning)
        tree = AgglomerativeClustering(
            at_most(n_clusters, z), linkage=cfg.linkage, connectivity=graph
        ).fit(z)
    return known_codes(z, tree.labels_)


def predict(state: State, z: np.ndarray) -> np.ndarray:
    """Cluster (N,) of the nearest training code."""
    return nearest_cluster(state, z)


def soft(state: State, z: np.ndarray) -> np.ndarray:
    """Memberships (N, K): a single 1 a row, none for noise."""
    return one_hot(predict(state, z), n_known_clusters(state))
