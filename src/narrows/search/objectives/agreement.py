"""Agreement between seeds: the adjusted Rand index of the clusters that K-means finds in the codes
of two trainings. Groups that are in the data are there from each seed, cuts through a crowd are
not. The search's `seeds` lists two or more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from narrows.config.plugins import config

if TYPE_CHECKING:
    from narrows.search.objectives._base import Trained

DIRECTION = "maximize"
FEWEST_SEEDS = 2


@config
class Config:
    n_clusters: Annotated[int, Field(ge=2)]
    """Clusters that K-means looks for."""


def measure(cfg: Config, trained: Trained) -> float | None:
    """At most 1, about 0 by chance; None of the first seed."""
    from sklearn.metrics import adjusted_rand_score

    from narrows.search.objectives._base import clusters_of, judged

    if trained.rival is None:
        return None
    x = judged(trained)
    models = (trained.model, trained.rival)
    sides = [clusters_of(model, x, cfg.n_clusters, trained.seed)[1] for model in models]
    return float(adjusted_rand_score(*sides))
