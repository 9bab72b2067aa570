"""No corruption: the autoencoder sees the clean sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from narrows.config.plugins import config

if TYPE_CHECKING:
    import torch


@config
class Config:
    pass


def corrupt(cfg: Config, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The batch itself (B, ...)."""
    return x
