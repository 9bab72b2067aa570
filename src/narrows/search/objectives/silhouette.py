"""Silhouette of the clusters that K-means finds in the codes, measured between the samples
themselves: one space for all trials, because silhouettes of different spaces do not compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from narrows.config.plugins import config

if TYPE_CHECKING:
    from narrows.search.objectives._base import Trained

DIRECTION = "maximize"
FEWEST_SEEDS = 1


@config
class Config:
    n_clusters: Annotated[int, Field(ge=2)]
    """Clusters that K-means looks for."""


def measure(cfg: Config, trained: Trained) -> float:
    """In [-1, 1]; -1 where the codes are one point."""
    from narrows.clustering.metrics import silhouette
    from narrows.search.objectives._base import clustered

    score = silhouette(*clustered(trained, cfg.n_clusters), trained.seed)
    return -1.0 if score is None else score
