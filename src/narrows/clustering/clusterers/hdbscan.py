"""HDBSCAN (Campello et al. 2013), scikit-learn's: DBSCAN at every radius at once. Ignores k.

Of the tree of clusters it keeps those that live longest. A code joins the cluster of the nearest
training code, or the noise (-1) if that is noise.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from narrows.clustering.clusterers import _density
from narrows.clustering.neighbours import (
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
    min_cluster_size: Annotated[int, Field(ge=2)]
    """Codes that make a cluster."""
    min_samples: PositiveInt
    """Neighbours, itself included, that measure the density at a code."""


def fit(cfg: Config, z: np.ndarray, n_clusters: int, seed: int) -> State:
    """Training codes and their clusters; it has no use for `n_clusters`."""
    z = trainable_subset(z, seed)
    return known_codes(z, _density.hdbscan(z, cfg.min_cluster_size, cfg.min_samples))


def predict(state: State, z: np.ndarray) -> np.ndarray:
    """Cluster (N,) of the nearest training code, -1 is noise."""
    return nearest_cluster(state, z)


def soft(state: State, z: np.ndarray) -> np.ndarray:
    """Memberships (N, K): a single 1 a row, none for noise."""
    return one_hot(predict(state, z), n_known_clusters(state))
