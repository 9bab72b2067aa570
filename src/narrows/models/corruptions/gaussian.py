"""Gaussian noise: to every value a normal number is added, on its own."""

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
    """Standard deviation of the noise, where the whole range of a value is 1."""


def corrupt(cfg: Config, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """clip(x + std n, 0, 1) for a batch (B, ...), n standard normal."""
    import torch

    normal = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    return (x + cfg.std * normal).clamp(0, 1)
