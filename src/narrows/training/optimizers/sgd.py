"""Stochastic gradient descent with momentum, torch's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PositiveFloat

from narrows.config.plugins import config

if TYPE_CHECKING:
    import torch


@config
class Config:
    lr: PositiveFloat = 0.01
    """Step size."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Share of the last step that the next one repeats."""


def optimizer(cfg: Config, weights: Iterable[torch.Tensor]) -> torch.optim.Optimizer:
    """A `torch.optim.SGD` of these weights."""
    import torch

    return torch.optim.SGD(weights, lr=cfg.lr, momentum=cfg.momentum)
