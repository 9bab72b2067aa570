"""Salt and pepper: some values become 1 or 0, each on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from narrows.config.plugins import config
from narrows.models.corruptions._base import Noise

if TYPE_CHECKING:
    import torch


@config
class Config(Noise):
    fraction: Annotated[float, Field(gt=0, le=1)]
    """Probability of a value to be hit; salt (1) and pepper (0) are equally likely."""


def corrupt(cfg: Config, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A copy of the batch (B, ...) with some values at 0 or 1."""
    import torch

    chance = torch.rand(x.shape, generator=generator, device=x.device)
    salt = (chance < cfg.fraction / 2).to(x.dtype)
    return torch.where(chance < cfg.fraction, salt, x)
