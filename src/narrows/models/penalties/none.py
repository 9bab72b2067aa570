"""No penalty: the reconstruction loss alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from narrows.config.plugins import config

if TYPE_CHECKING:
    import torch


@config
class Config:
    pass


def penalty(
    cfg: Config, z: torch.Tensor, x: torch.Tensor, encode: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """Zero, for codes z (B, D) of inputs x (B, ...)."""
    return z.new_zeros(())
