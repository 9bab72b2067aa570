"""Adadelta (Zeiler 2012, arXiv:1212.5701), torch's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PositiveFloat

from narrows.config.plugins import config

if TYPE_CHECKING:
    import torch


@config
class Config:
    lr: PositiveFloat = 1.0
    """Factor on the step that the method chooses; the paper has 1."""
    rho: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Decay of the running averages of squared gradients and steps."""


def optimizer(cfg: Config, weights: Iterable[torch.Tensor]) -> torch.optim.Optimizer:
    """A `torch.optim.Adadelta` of these weights."""
    import torch

    return torch.optim.Adadelta(weights, lr=cfg.lr, rho=cfg.rho)
