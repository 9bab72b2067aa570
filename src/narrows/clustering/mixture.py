"""Gaussian mixtures, scikit-learn's, with a state of arrays."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np

from narrows.clustering.neighbours import at_most, finite
from narrows.clustering.state import State

REGULARISATION = 1e-6
"""Share of the mean variance that is added to each; sklearn's 1e-6 is absolute, and codes have any
scale."""


def fit_mixture(
    z: np.ndarray,
    n_clusters: int,
    covariance: Literal["full", "tied", "diag"],
    n_init: int,
    seed: int,
) -> State:
    """A mixture of codes z (N, D) by EM (Dempster, Laird & Rubin 1977) from k-means starts.

    Returns:
        Weights (K,), means (K, D) and precisions, whose shape depends on the covariance.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    z = z.astype(np.float64)  # covariances of float32 codes are not always positive definite
    model = GaussianMixture(
        at_most(n_clusters, z),
        covariance_type=covariance,
        n_init=n_init,
        reg_covar=REGULARISATION * (z.var(axis=0).mean() or 1.0),
        random_state=seed,
    )
    with warnings.catch_warnings():
        # EM that stops after 100 steps is a mixture, too: the likeliest so far
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(z)
    return {
        "weights": model.weights_,
        "means": model.means_,
        "precisions_cholesky": model.precisions_cholesky_,
        "covariance": np.array(covariance),
    }


def most_likely(state: State, z: np.ndarray) -> np.ndarray:
    """Component (N,) of the mixture with the highest posterior for each code of z (N, D)."""
    clusters: np.ndarray = _model(state).predict(finite(z).astype(np.float64))
    return clusters


def posteriors(state: State, z: np.ndarray) -> np.ndarray:
    """Memberships (N, K) of codes z (N, D) in the components of the mixture."""
    shares: np.ndarray = _model(state).predict_proba(finite(z).astype(np.float64))
    return shares


def _model(state: State) -> Any:
    """The GaussianMixture as it was after its fit."""
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(len(state["weights"]), covariance_type=str(state["covariance"]))
    model.weights_, model.means_ = state["weights"], state["means"]
    model.precisions_cholesky_ = state["precisions_cholesky"]
    return model
