"""Adam (Kingma & Ba 2015, arXiv:1412.6980), torch's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import NonNegativeFloat, PositiveFloat

from narrows.config.plugins import config

if TYPE_CHECKING:
    import torch


@config
class Config:
    lr: PositiveFloat = 1e-3
    """Step size."""
    eps: PositiveFloat = 1e-8
    """Added to the root of the mean squared gradient, which it outweighs where gradients are tiny.
    Keras takes 1e-7, and deep rows reconstruct better with it (docs/LOG.md)."""
    weight_decay: NonNegativeFloat = 0.0
    """L2 penalty on the weights, added to the gradient."""


def optimizer(cfg: Config, weights: Iterable[torch.Tensor]) -> torch.optim.Optimizer:
    """A `torch.optim.Adam` of these weights."""
    import torch

    return torch.optim.Adam(
        weights,
        lr=cfg.lr,
        eps=cfg.eps,
        weight_decay=cfg.weight_decay,
        fused=True,  # one pass over the weights instead of eight
    )
