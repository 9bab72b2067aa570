"""Periodic noise: stripes over the whole picture, a sine wave with a random phase."""

from __future__ import annotations

from math import cos, pi, radians, sin
from typing import TYPE_CHECKING

from pydantic import PositiveFloat

from narrows.config.plugins import config
from narrows.models.corruptions._base import Noise

if TYPE_CHECKING:
    import torch


@config
class Config(Noise):
    frequency: PositiveFloat
    """Cycles across the picture's side."""
    angle: float
    """Direction in which the wave runs, in degrees: 0 along the width, 90 down the height."""
    amplitude: PositiveFloat
    """Height of the wave, where the whole range of a value is 1."""

    @property
    def pictures_only(self) -> bool:
        return True


def corrupt(cfg: Config, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """clip(x + amplitude sin(2 pi frequency (u cos angle + v sin angle) + phase), 0, 1).

    For pictures (B, C, H, W); u and v run over [0, 1) along width and height. Every picture has a
    phase of its own, all its channels have the same.
    """
    import torch

    n, _, height, width = x.shape
    angle = radians(cfg.angle)
    u = torch.arange(width, device=x.device, dtype=x.dtype) / width
    v = torch.arange(height, device=x.device, dtype=x.dtype)[:, None] / height
    phase = torch.rand(n, 1, 1, 1, generator=generator, device=x.device, dtype=x.dtype)
    cycles = cfg.frequency * (u * cos(angle) + v * sin(angle)) + phase
    return (x + cfg.amplitude * torch.sin(2 * pi * cycles)).clamp(0, 1)
