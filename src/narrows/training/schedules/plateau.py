"""The learning rate is cut whenever the validation loss has stopped falling, torch's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, NonNegativeFloat, PositiveInt

from narrows.config.plugins import config

if TYPE_CHECKING:
    import torch

FOLLOWS_LOSS = True


@config
class Config:
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Factor by which the learning rate is cut."""
    patience: PositiveInt = 5
    """Epochs without a better validation loss before a cut."""
    min_lr: NonNegativeFloat = 0.0
    """The learning rate is never cut below this."""


def schedule(
    cfg: Config, optimizer: torch.optim.Optimizer, epochs: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """A rate that is cut whenever the loss that it is stepped with has stopped falling."""
    import torch

    return torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=cfg.factor, patience=cfg.patience, min_lr=cfg.min_lr
    )
