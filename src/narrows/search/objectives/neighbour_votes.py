"""Neighbours' votes: how much more often than by chance a sample's nearest neighbours are in the
cluster that K-means puts its code into. Neighbours are those of the samples, not of the codes,
whose neighbours fall into one cluster the surer, the fewer numbers a code has."""

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
    n_neighbors: Annotated[int, Field(ge=1)] = 10
    """Nearest neighbours of a sample that vote, itself left out; fewer of fewer samples."""


def measure(cfg: Config, trained: Trained) -> float:
    """Over at most 5,000 training samples: 1 where all neighbours share a cluster, 0 by chance, and
    where there is one cluster."""
    import numpy as np

    from narrows.clustering import neighbours
    from narrows.search.objectives._base import clustered

    x, clusters = clustered(trained, cfg.n_clusters)
    voters = neighbours.nearest(x, None, cfg.n_neighbors)  # (n, n_neighbors)
    share = float((clusters[voters] == clusters[:, None]).mean())
    chance = float(np.square(np.bincount(clusters) / len(clusters)).sum())
    return (share - chance) / (1 - chance) if chance < 1 else 0.0
