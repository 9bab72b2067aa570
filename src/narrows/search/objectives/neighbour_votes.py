"""Neighbours' votes: the share of a code's nearest neighbours that K-means puts into its cluster.
Borders that run between groups part few neighbours, cuts through a crowd part many. Codes of fewer
numbers have fewer neighbours beyond a border, so a search over `code_size` favours small ones."""

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
    """Nearest neighbours of a code that vote, itself left out; fewer of fewer samples."""


def measure(cfg: Config, trained: Trained) -> float:
    """Mean share over at most 5,000 training samples, in [0, 1]."""
    from narrows.clustering import neighbours
    from narrows.search.objectives._base import clusters_of, judged

    x = judged(trained)
    codes, clusters = clusters_of(trained.model, x, cfg.n_clusters, trained.seed)
    voters = neighbours.nearest(codes, None, cfg.n_neighbors)  # (n, n_neighbors)
    return float((clusters[voters] == clusters[:, None]).mean())
