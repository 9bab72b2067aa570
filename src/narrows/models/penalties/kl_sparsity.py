"""Kullback-Leibler sparsity: every unit of the code is active for a small share of the samples.

Andrew Ng, CS294A lecture notes, "Sparse autoencoder". There the mean activation is that of the
whole training set; here it is that of the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, PositiveFloat

from narrows.config.plugins import config
from narrows.models.part import Part

if TYPE_CHECKING:
    import torch


@config
class Config(Part):
    target: Annotated[float, Field(gt=0, lt=1)]
    """Mean activation rho that every unit of the code should have."""
    weight: PositiveFloat
    """Loss per nat of divergence, summed over the units."""

    def check(self, row: Any) -> None:
        """Refuses a row whose codes are no probabilities."""
        if row.code_activation != "sigmoid":
            raise ValueError(
                "penalty.name: kl_sparsity needs codes between 0 and 1, so code_activation: "
                f"sigmoid; found {row.code_activation!r}"
            )


def penalty(
    cfg: Config, z: torch.Tensor, x: torch.Tensor, encode: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """weight times sum_j KL(Bernoulli(rho) || Bernoulli(mean_j)), for codes z (B, D) in (0, 1)."""
    import torch

    rho, tiny = cfg.target, torch.finfo(z.dtype).eps
    mean = z.mean(0).clamp(tiny, 1 - tiny)  # a unit that saturates would cost infinitely much
    on, off = rho * (log(rho) - mean.log()), (1 - rho) * (log(1 - rho) - (1 - mean).log())
    return cfg.weight * (on + off).sum()
