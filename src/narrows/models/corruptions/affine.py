"""Affine distortion: every picture is turned, shifted and scaled a little, each on its own; it can
be sheared, bent and mirrored, too."""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, NonNegativeFloat

from narrows.config.plugins import config
from narrows.models.corruptions._base import Noise

if TYPE_CHECKING:
    import torch


@config
class Config(Noise):
    rotation: NonNegativeFloat
    """Largest rotation to either side, in degrees."""
    shift: Annotated[float, Field(ge=0, le=1)]
    """Largest shift along each axis, as a share of the picture's side."""
    scale: Annotated[float, Field(ge=0, lt=1)]
    """Largest share by which a picture grows or shrinks."""
    shear: NonNegativeFloat = 0
    """Largest shear to either side: by how many rows' heights a row moves against the next."""
    elastic: NonNegativeFloat = 0
    """Standard deviation of the shifts of 5 x 5 points, as a share of half the picture's side; what
    lies between them follows smoothly."""
    flip: bool = False
    """Whether every other picture, drawn by chance, is mirrored left to right."""

    @property
    def pictures_only(self) -> bool:
        return True


def corrupt(cfg: Config, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Pictures (B, C, H, W) through a map of their own, read off bilinearly; outside is 0."""
    import torch
    from torch.nn import functional

    def draw(*shape: int) -> torch.Tensor:
        """Numbers from -1 to 1."""
        return torch.rand(shape, generator=generator, device=x.device, dtype=x.dtype) * 2 - 1

    uniform = draw(4, len(x))
    angle, size = uniform[0] * cfg.rotation * pi / 180, 1 + uniform[1] * cfg.scale
    cos, sin = size * angle.cos(), size * angle.sin()
    right, down = uniform[2:] * 2 * cfg.shift  # affine_grid's side is 2 long, from -1 to 1
    aspect = x.shape[2] / x.shape[3]  # a turn is one of the picture, not of the square
    sideways = draw(len(x)) * cfg.shear if cfg.shear else 0
    # a map (2, 3) per picture, from places in the new picture to places in x: (B, 2, 3)
    rows = [[cos, (sideways - sin) * aspect, right], [sin / aspect, cos, down]]
    maps = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
    grid = functional.affine_grid(maps, list(x.shape), align_corners=False)  # (B, H, W, 2)
    if cfg.elastic:
        points = torch.randn(len(x), 2, 5, 5, generator=generator, device=x.device, dtype=x.dtype)
        bent = functional.interpolate(points * cfg.elastic, x.shape[2:], mode="bicubic")
        grid = grid + bent.permute(0, 2, 3, 1)
    if cfg.flip:
        is_mirrored = (draw(len(x)) < 0)[:, None, None]
        grid[..., 0] = torch.where(is_mirrored, -grid[..., 0], grid[..., 0])
    return functional.grid_sample(x, grid, align_corners=False).clamp(0, 1)
