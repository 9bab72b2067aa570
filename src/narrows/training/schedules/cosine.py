"""The learning rate falls along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from narrows.config.plugins import config

if TYPE_CHECKING:
    import torch

FOLLOWS_LOSS = False


@config
class Config:
    final_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Learning rate after the last epoch, as a fraction of the first."""


def schedule(
    cfg: Config, optimizer: torch.optim.Optimizer, epochs: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """A rate that falls in every epoch, over all `epochs`."""
    import torch

    floor = cfg.final_fraction * optimizer.param_groups[0]["lr"]
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs, eta_min=floor)
