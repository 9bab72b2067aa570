"""Fully connected layers, the decoder mirroring the encoder (Hinton & Salakhutdinov 2006).

Weights start uniform as Glorot & Bengio (2010, equation 16) have it and biases at 0, as in Keras:
from torch's own start the 500-500-2000-10 row needs twice the epochs (docs/LOG.md).
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

from pydantic import PositiveInt

from narrows.networks._base import Activation, activation
from narrows.plugins import config

if TYPE_CHECKING:
    from torch import nn


@config
class Config:
    hidden: tuple[PositiveInt, ...]
    """Units per hidden layer, input side first; () joins input and code by one layer."""
    activation: Activation = "relu"
    """After every hidden layer."""


def encoder(cfg: Config, input_shape: tuple[int, ...], width: int) -> nn.Module:
    """(B, *input_shape) -> (B, width), no activation after the last layer."""
    from torch import nn

    return nn.Sequential(nn.Flatten(), *_layers(cfg, (prod(input_shape), *cfg.hidden, width)))


def decoder(cfg: Config, code_size: int, output_shape: tuple[int, ...]) -> nn.Module:
    """(B, code_size) -> (B, *output_shape), no activation after the last layer."""
    from torch import nn

    sizes = (code_size, *reversed(cfg.hidden), prod(output_shape))
    return nn.Sequential(*_layers(cfg, sizes), nn.Unflatten(1, output_shape))


def _layers(cfg: Config, sizes: tuple[int, ...]) -> list[nn.Module]:
    from torch import nn

    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        linear = nn.Linear(n_in, n_out)
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, activation(cfg.activation)]
    return layers[:-1]
