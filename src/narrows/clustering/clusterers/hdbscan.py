"""HDBSCAN (Campello et al. 2013), scikit-learn's: DBSCAN at every radius at once. Ignores k.

Of the tree of clusters it keeps those that live longest. A code joins the cluster of the nearest
training code, or the noise (-1) if that is noise.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from narrows.clustering.clusterers._base import dense, few, of_nearest, remembered
from narrows.config.plugins import config


@config
class Config:
    min_cluster_size: Annotated[int, Field(ge=2)]
    """Codes that make a cluster."""
    min_samples: PositiveInt
    """Neighbours, itself included, that measure how dense it is at a code."""


def fit(cfg: Config, z: np.ndarray, n_clusters: int, seed: int) -> dict[str, np.ndarray]:
    """Training codes and their clusters; it has no use for `n_clusters`."""
    z = few(z, seed)
    return remembered(z, dense(z, cfg.min_cluster_size, cfg.min_samples))


def predict(state: dict[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    """Cluster (N,) of the nearest training code, -1 is noise."""
    return of_nearest(state, z)
