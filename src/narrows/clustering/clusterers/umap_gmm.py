"""A Gaussian mixture in a UMAP of the codes, as N2D does it (McConville et al. 2021).

arXiv:1908.05968. A new code is placed among its neighbours in the map and then joins the component
with the highest posterior.
"""

from __future__ import annotations

import numpy as np
from pydantic import PositiveInt

from narrows.clustering.mixture import fit_mixture, most_likely, posteriors
from narrows.clustering.neighbours import trainable_subset
from narrows.clustering.state import State
from narrows.clustering.umap import Map, fit_map, place
from narrows.config.plugins import config

HAS_MEMBERSHIPS = True


@config
class Config(Map):
    n_init: PositiveInt = 20
    """Starts of the mixture, of which the one with the highest likelihood wins: on MNIST's map
    three in five get stuck in a mixture that joins two digits."""


def fit(cfg: Config, z: np.ndarray, n_clusters: int, seed: int) -> State:
    """Training codes, their places in the map and the mixture there."""
    state, places = fit_map(cfg, trainable_subset(z, seed), seed)
    return state | fit_mixture(places, n_clusters, "full", cfg.n_init, seed)


def predict(state: State, z: np.ndarray) -> np.ndarray:
    """Component (N,) with the highest posterior at each code's place in the map."""
    return most_likely(state, place(state, z))


def soft(state: State, z: np.ndarray) -> np.ndarray:
    """Posteriors (N, k) of the components at each code's place in the map."""
    return posteriors(state, place(state, z))
