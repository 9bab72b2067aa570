"""DBSCAN (Ester et al. 1996), scikit-learn's: clusters are what dense codes reach. Ignores k.

A code is a core if `min_samples` training codes, itself included, lie within `eps`. Cores within
`eps` of each other share a cluster. Any other code joins the nearest core within `eps`, and is
noise (-1) if there is none; the paper lets the order of the rows choose among the cores.

The neighbours of all codes are in memory at once: an `eps` that reaches across 50,000 codes
takes 20 GB.
"""

from __future__ import annotations

import numpy as np
from pydantic import PositiveFloat, PositiveInt

from narrows.clustering.neighbours import (
    finite,
    known_codes,
    n_known_clusters,
    nearest_known,
    trainable_subset,
)
from narrows.clustering.state import State, one_hot
from narrows.config.plugins import config

HAS_MEMBERSHIPS = False


@config
class Config:
    eps: PositiveFloat | None
    """Radius of a neighbourhood; null takes the knee of the distances to the
    `min_samples`-th neighbour."""
    min_samples: PositiveInt
    """Codes within `eps` that make a core, itself included."""


def fit(cfg: Config, z: np.ndarray, n_clusters: int, seed: int) -> State:
    """Core codes, their clusters and eps; it has no use for `n_clusters`."""
    from sklearn.cluster import DBSCAN

    z = trainable_subset(z, seed)
    eps = cfg.eps
    if eps is None:
        distances, _ = nearest_known(z, z, min(cfg.min_samples, len(z)))
        eps = max(knee(distances[:, -1]), float(np.finfo(np.float32).tiny))
    scan = DBSCAN(eps=eps, min_samples=cfg.min_samples).fit(z)
    cores = scan.core_sample_indices_
    return {**known_codes(z[cores], scan.labels_[cores]), "eps": np.array(eps)}


def predict(state: State, z: np.ndarray) -> np.ndarray:
    """Cluster (N,) of the nearest core within eps, else -1."""
    z = finite(z)
    if len(state["codes"]) == 0:
        return np.full(len(z), -1)
    distances, near = nearest_known(state["codes"], z, 1)
    within = distances[:, 0] <= state["eps"]
    return np.where(within, state["clusters"][near[:, 0]], -1)


def soft(state: State, z: np.ndarray) -> np.ndarray:
    """Memberships (N, K): a single 1 a row, none for noise."""
    return one_hot(predict(state, z), n_known_clusters(state))


def knee(distances: np.ndarray) -> float:
    """Where the sorted distances (N,) are farthest below the line from the first to the last.

    The "first valley" of Ester et al. 1996, section 4.2, as Satopaa et al. 2011 find it.

    Example:
        The line from 1 to 9 is at 3, 5 and 7; 2 is 5 below it:

        >>> knee(np.array([1.0, 9.0, 1.0, 2.0, 1.0]))
        2.0
    """
    curve = np.sort(distances)
    return float(curve[np.argmax(np.linspace(curve[0], curve[-1], len(curve)) - curve)])
