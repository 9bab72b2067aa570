"""A constant learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from narrows.config.plugins import config

if TYPE_CHECKING:
    import torch

FOLLOWS_LOSS = False


@config
class Config:
    pass


def schedule(
    cfg: Config, optimizer: torch.optim.Optimizer, epochs: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """A rate that stays."""
    import torch

    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
