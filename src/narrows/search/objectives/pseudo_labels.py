"""How well a linear classifier on the samples learns the clusters that K-means finds in the codes:
clusters that mean something are told from the outside, arbitrary cuts through a crowd are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from narrows.config.plugins import config

if TYPE_CHECKING:
    from narrows.search.objectives._base import Trained

DIRECTION = "maximize"
FEWEST_SEEDS = 1
N_FOLDS = 3
N_COMPONENTS = 50  # of the samples' PCA: as good to a linear classifier, and fast


@config
class Config:
    n_clusters: Annotated[int, Field(ge=2)]
    """Clusters that K-means looks for."""


def measure(cfg: Config, trained: Trained) -> float:
    """Cross-validated balanced accuracy, in [0, 1]; 0 where a cluster is smaller than the folds."""
    import warnings

    import numpy as np
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from narrows.search.objectives._base import clustered

    x, clusters = clustered(trained, cfg.n_clusters)
    if np.bincount(clusters, minlength=cfg.n_clusters).min() < N_FOLDS:
        return 0.0
    pca = PCA(min(N_COMPONENTS, *x.shape), random_state=trained.seed)
    classifier = make_pipeline(pca, StandardScaler(), LogisticRegression(max_iter=200))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        scores = cross_val_score(
            classifier, x, clusters, cv=N_FOLDS, scoring="balanced_accuracy", n_jobs=1
        )
    return float(scores.mean())
