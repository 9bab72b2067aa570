"""Adam as Keras has it: eps is added before the second moment is corrected.

That is the order which Kingma & Ba 2015 (arXiv:1412.6980) give at the end of their section 2, with
eps as their epsilon hat. Early on it is a much larger eps than torch's: at step t it counts
1 / sqrt(1 - 0.999^t) times as much, 32 times at first. Where gradients are tiny, as those of a mean
over pixels, that changes what is learned (docs/LOG.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import PositiveFloat

from narrows.config.plugins import config

if TYPE_CHECKING:
    import torch


@config
class Config:
    lr: PositiveFloat = 1e-3
    """Step size."""
    eps: PositiveFloat = 1e-7
    """Added to the root of the mean squared gradient before that is corrected; Keras's default."""


def optimizer(cfg: Config, weights: Iterable[torch.Tensor]) -> torch.optim.Optimizer:
    """A `KerasAdam` of these weights."""
    from narrows.training.optimizers._keras_adam import KerasAdam

    return KerasAdam(weights, cfg.lr, cfg.eps)
