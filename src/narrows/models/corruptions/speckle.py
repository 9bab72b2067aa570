"""Speckle: every value is multiplied by a normal number around 1, so that zeros stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import PositiveFloat

from narrows.config.plugins import config
from narrows.models.corruptions._base import Noise

if TYPE_CHECKING:
    import torch


@config
class Config(Noise):
    std: PositiveFloat
    """Standard deviation of the factor, whose mean is 1."""


def corrupt(cfg: Config, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """clip(x (1 + std n), 0, 1) for a batch (B, ...), n standard normal."""
    import torch

    normal = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    return (x * (1 + cfg.std * normal)).clamp(0, 1)
