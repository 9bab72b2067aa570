"""Normalised cuts (Shi & Malik 2000) of the graph of nearest neighbours, scikit-learn's.

Clusters are read off the eigenvectors by a pivoted QR (Damle, Minden & Ying 2019), which needs no
random starts. A code joins the cluster of the nearest training code.
"""

from __future__ import annotations

import warnings
from typing import Annotated

import numpy as np
from pydantic import Field

from narrows.clustering.neighbours import (
    distinct,
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
    n_neighbors: Annotated[int, Field(ge=2)]
    """Edges from a code to its nearest neighbours, itself included."""


def fit(cfg: Config, z: np.ndarray, n_clusters: int, seed: int) -> State:
    """Training codes and their clusters; at most `n_clusters` distinct codes are a cluster each."""
    from sklearn.cluster import SpectralClustering
    from sklearn.neighbors import kneighbors_graph

    z = trainable_subset(z, seed)
    rows, sets = distinct(z)
    if len(rows) <= n_clusters:
        return known_codes(z, sets)
    edges = kneighbors_graph(z, min(cfg.n_neighbors, len(z)), include_self=True)
    method = SpectralClustering(
        n_clusters, affinity="precomputed", assign_labels="cluster_qr", random_state=seed
    )
    with warnings.catch_warnings():
        # parts that hang together nowhere are clusters: their eigenvectors are constant on each
        warnings.filterwarnings("ignore", "Graph is not fully connected", UserWarning)
        return known_codes(z, method.fit((edges + edges.T) / 2).labels_)


def predict(state: State, z: np.ndarray) -> np.ndarray:
    """Cluster (N,) of the nearest training code."""
    return nearest_cluster(state, z)


def soft(state: State, z: np.ndarray) -> np.ndarray:
    """Memberships (N, K): a single 1 a row, none for noise."""
    return one_hot(predict(state, z), n_known_clusters(state))
