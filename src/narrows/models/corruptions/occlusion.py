"""Occlusion: part of every picture is covered with one value, at a random place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from narrows.config.plugins import config
from narrows.models.corruptions._base import Noise

if TYPE_CHECKING:
    import torch


@config
class Config(Noise):
    shape: Literal["cross", "bar", "box", "pixels"]
    """Shape of the cover: a bar along the width and one along the height, one of the two by chance,
    a square, or single pixels; all channels of a pixel are covered together."""
    fraction: Annotated[float, Field(gt=0, le=1)]
    """Width of a bar or side of a box, as a share of the picture's shorter side and at least one
    pixel; for pixels the probability of each to be covered."""
    value: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Value of what is covered; 0 is black."""

    @property
    def pictures_only(self) -> bool:
        return self.shape != "pixels"


def corrupt(cfg: Config, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A partly covered copy of the pictures (B, C, H, W); `pixels` takes a table (B, D) as well."""
    import torch

    if cfg.shape == "pixels":
        shape = (len(x), 1, *x.shape[2:]) if x.dim() == 4 else x.shape
        chance = torch.rand(shape, generator=generator, device=x.device)
        return x.masked_fill(chance < cfg.fraction, cfg.value)
    return x.masked_fill(_covered(cfg, x, generator)[:, None], cfg.value)


def _covered(cfg: Config, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mask (B, H, W). Bars and boxes lie in the picture with their whole width."""
    import torch

    n, _, height, width = x.shape
    thick = max(1, round(cfg.fraction * min(height, width)))

    def stripe(size: int) -> torch.Tensor:
        """Mask (B, size) of a stretch of `thick` pixels at a random place."""
        start = torch.randint(size - thick + 1, (n, 1), generator=generator, device=x.device)
        place = torch.arange(size, device=x.device)
        return (place >= start) & (place < start + thick)

    across, down = stripe(height)[:, :, None], stripe(width)[:, None, :]
    if cfg.shape == "cross":
        return across | down
    if cfg.shape == "box":
        return across & down
    coin = torch.rand(n, 1, 1, generator=generator, device=x.device) < 0.5
    return torch.where(coin, across, down)
