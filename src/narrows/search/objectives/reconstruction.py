"""Mean squared error of clean validation samples, per value: comparable whatever the row's loss."""

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
    """The error of reconstructions of validation samples in [0, 1]."""
    from narrows.data.unit import to_unit
    from narrows.models.autoencoder import reconstruct_all

    total, n_values = 0.0, 0
    for batch in trained.val.split(trained.model.batch_size):
        errors = reconstruct_all(trained.model, batch) - to_unit(batch)
        total += errors.square().sum().item()
        n_values += errors.numel()
    return total / n_values
