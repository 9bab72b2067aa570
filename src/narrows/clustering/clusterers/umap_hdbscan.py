"""HDBSCAN (Campello et al. 2013) in a UMAP of the codes. Ignores k.

A new code is placed among its neighbours in the map and then joins the cluster of the nearest
place there, or the noise (-1) if that is noise.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from narrows.clustering.clusterers._base import Map, dense, distinct, draw, few, nearest, place
from narrows.config.plugins import config


@config
class Config(Map):
    min_cluster_size: Annotated[int, Field(ge=2)]
    """Codes that make a cluster."""
    min_samples: PositiveInt
    """Neighbours in the map, itself included, that measure how dense it is at a code."""


def fit(cfg: Config, z: np.ndarray, n_clusters: int, seed: int) -> dict[str, np.ndarray]:
    """Training codes, their places in the map and the clusters of those."""
    z = few(z, seed)
    state, places = draw(cfg, z, seed)
    clusters = dense(places, cfg.min_cluster_size, cfg.min_samples)
    return state | {"clusters": clusters[distinct(z)[0]]}


def predict(state: dict[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    """Cluster (N,) of the nearest place in the map, -1 is noise."""
    _, near = nearest(state["places"], place(state, z), 1)
    return state["clusters"][near[:, 0]]
