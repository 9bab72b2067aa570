"""No corruption: the autoencoder sees the clean sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from narrows.config.plugins import config
from narrows.models.corruptions._base import Noise

if TYPE_CHECKING:
    import torch


@config
class Config(Noise):
    pass


def corrupt(cfg: Config, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The batch itself (B, ...)."""
    return x
