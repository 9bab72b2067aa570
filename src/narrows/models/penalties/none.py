"""No penalty: the reconstruction loss alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from narrows.config.plugins import config
from narrows.models.part import Part

if TYPE_CHECKING:
    import torch


@config
class Config(Part):
    pass


def penalty(
    cfg: Config, z: torch.Tensor, x: torch.Tensor, encode: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    """Nothing is added."""
