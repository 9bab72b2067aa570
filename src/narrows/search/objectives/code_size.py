"""Numbers in the code: against an error or a clustering score it gives a Pareto front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from narrows.config.plugins import config

if TYPE_CHECKING:
    from narrows.search.objectives._base import Trained

DIRECTION = "minimize"
FEWEST_SEEDS = 1


@config
class Config:
    pass


def measure(cfg: Config, trained: Trained) -> float:
    """The row's `code_size`."""
    return float(trained.model.cfg.code_size)
