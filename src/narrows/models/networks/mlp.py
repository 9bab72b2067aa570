"""Fully connected layers, the decoder mirroring the encoder (Hinton & Salakhutdinov 2006)."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PositiveInt

from narrows.config.plugins import config
from narrows.models.networks._base import Activation, NetworkOptions, activation, initialise

if TYPE_CHECKING:
    from torch import nn


@config
class Config(NetworkOptions):
    hidden: tuple[PositiveInt, ...]
    """Units per hidden layer, input side first; () joins input and code by one layer."""
    activation: Activation = "relu"
    """Activation after every hidden layer."""
    batch_norm: bool = False
    """Whether every hidden layer is normalised over the batch, before its activation."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Probability of a hidden unit to be set to 0 in training, after its activation."""

    @property
    def depth(self) -> int:
        return len(self.hidden)

    @property
    def mixes_samples(self) -> bool:
        return self.batch_norm


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
    for n_in, n_out in pairwise(sizes[:-1]):
        layers.append(initialise(nn.Linear(n_in, n_out)))
        layers += [nn.BatchNorm1d(n_out)] if cfg.batch_norm else []
        layers.append(activation(cfg.activation))
        layers += [nn.Dropout(cfg.dropout)] if cfg.dropout else []
    return [*layers, initialise(nn.Linear(sizes[-2], sizes[-1]))]
