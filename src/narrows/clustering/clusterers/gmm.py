"""A mixture of Gaussians, fitted by EM (Dempster, Laird & Rubin 1977), scikit-learn's."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import PositiveInt

from narrows.clustering.mixture import fit_mixture, most_likely, posteriors
from narrows.clustering.neighbours import trainable_subset
from narrows.clustering.state import State
from narrows.config.plugins import config

HAS_MEMBERSHIPS = True


@config
class Config:
    covariance: Literal["full", "tied", "diag"]
    """An ellipsoid per cluster, one for all, or one per cluster along the axes.

    `full` estimates D (D + 1) / 2 numbers per cluster: too many for wide codes and few rows.
    """
    n_init: PositiveInt
    """Starts from k-means, of which the one with the highest likelihood wins."""


def fit(cfg: Config, z: np.ndarray, n_clusters: int, seed: int) -> State:
    """Weights (k,), means (k, D) and precisions of the codes z (N, D).

    k is `n_clusters`, or the number of distinct codes where that is lower.
    """
    return fit_mixture(trainable_subset(z, seed), n_clusters, cfg.covariance, cfg.n_init, seed)


def predict(state: State, z: np.ndarray) -> np.ndarray:
    """Component (N,) with the highest posterior for each code of z (N, D)."""
    return most_likely(state, z)


def soft(state: State, z: np.ndarray) -> np.ndarray:
    """Posteriors (N, k) of the components."""
    return posteriors(state, z)
