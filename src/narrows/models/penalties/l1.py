"""L1 penalty on the code: a sparse autoencoder with few units far from zero.

Keras's activity regularizer, `activity_regularizer=regularizers.l1(weight)` on the code's layer;
there 1e-5 is the usual weight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import PositiveFloat

from narrows.config.plugins import config
from narrows.models.part import Part

if TYPE_CHECKING:
    import torch


@config
class Config(Part):
    weight: PositiveFloat
    """Loss per unit of the code's L1 norm."""


def penalty(
    cfg: Config, z: torch.Tensor, x: torch.Tensor, encode: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """weight times the mean over the batch of sum_j |z_bj|, for codes z (B, D)."""
    return cfg.weight * z.abs().sum(1).mean()
