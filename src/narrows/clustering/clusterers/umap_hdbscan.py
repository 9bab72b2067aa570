"""HDBSCAN (Campello et al. 2013) in a UMAP of the codes. Ignores k.

A new code is placed among its neighbours in the map and then joins the cluster of the nearest
place there, or the noise (-1) if that is noise.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from narrows.clustering.clusterers import _density
from narrows.clustering.neighbours import (
    distinct,
    n_known_clusters,
    nearest_known,
    trainable_subset,
)
from narrows.clustering.state import State, one_hot
from narrows.clustering.umap import Map, fit_map, place
from narrows.config.plugins import config

HAS_MEMBERSHIPS = False


@config
class Config(Map):
    min_cluster_size: Annotated[int, Field(ge=2)]
    """Codes that make a cluster."""
    min_samples: PositiveInt
    """Neighbours in the map, itself included, that measure the density at a code."""


def fit(cfg: Config, z: np.ndarray, n_clusters: int, seed: int) -> State:
    """Training codes, their places in the map and the clusters of those."""
    z = trainable_subset(z, seed)
    state, places = fit_map(cfg, z, seed)
    clusters = _density.hdbscan(places, cfg.min_cluster_size, cfg.min_samples)
    return state | {"clusters": clusters[distinct(z)[0]]}


def predict(state: State, z: np.ndarray) -> np.ndarray:
    """Cluster (N,) of the nearest place in the map, -1 is noise."""
    _, near = nearest_known(state["places"], place(state, z), 1)
    return state["clusters"][near[:, 0]]


def soft(state: State, z: np.ndarray) -> np.ndarray:
    """Memberships (N, K): a single 1 a row, none for noise."""
    return one_hot(predict(state, z), n_known_clusters(state))
