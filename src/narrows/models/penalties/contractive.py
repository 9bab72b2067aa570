"""Contractive autoencoder: the code should move little when the input does.

Rifai, Vincent, Muller, Glorot & Bengio, ICML 2011. The paper has a closed form for one sigmoid
layer; this is the same number for any encoder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import PositiveFloat, PositiveInt

from narrows.config.plugins import config
from narrows.models.part import Part

if TYPE_CHECKING:
    import torch


@config
class Config(Part):
    weight: PositiveFloat
    """Loss per unit of the Jacobian's squared Frobenius norm."""
    directions: PositiveInt | None
    """Random directions of the code that estimate the norm, without bias; null takes all units of
    the code, which is exact. Cost and memory grow with their number."""

    def check(self, row: Any) -> None:
        """Refuses a row in which one sample's code depends on the others."""
        if row.network.config.mixes_samples:
            raise ValueError(
                "penalty.name: contractive needs codes that depend on one sample each, "
                "so network.batch_norm: false; found true"
            )


def penalty(
    cfg: Config, z: torch.Tensor, x: torch.Tensor, encode: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """weight times the mean over the batch of ||dz/dx||_F^2, at inputs x (B, ...)."""
    from narrows.models.jacobian import frobenius_squared

    return cfg.weight * frobenius_squared(encode, x, cfg.directions).mean()
