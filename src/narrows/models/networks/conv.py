"""Convolutions that halve a picture layer by layer, and transposed ones that double it again."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PositiveInt

from narrows.config.plugins import config
from narrows.errors import UserError
from narrows.models.networks._base import Activation, NetworkOptions, activation, initialise

if TYPE_CHECKING:
    from torch import nn


@config
class Config(NetworkOptions):
    channels: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    """Channels per convolution, input side first; each one halves height and width, rounding up."""
    activation: Activation = "relu"
    """Activation after every layer but the last of encoder and decoder."""
    batch_norm: bool = False
    """Whether every convolution but the decoder's last is normalised, before its activation."""
    convolutions: PositiveInt = 1
    """Convolutions of the encoder for each of the channels; only the last of them halves."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Probability of a value to be set to 0 in training, after the encoder's last convolution."""

    @property
    def depth(self) -> int:
        return len(self.channels) * self.convolutions

    @property
    def mixes_samples(self) -> bool:
        return self.batch_norm


def encoder(cfg: Config, input_shape: tuple[int, ...], width: int) -> nn.Module:
    """(B, C, H, W) -> (B, width), no activation after the last layer."""
    from torch import nn

    shapes = _shapes(cfg, input_shape)
    layers: list[nn.Module] = []
    for (n_in, *_), (n_out, *_) in pairwise(shapes):
        for i in range(cfg.convolutions):
            n_before, stride = n_out if i else n_in, 2 if i == cfg.convolutions - 1 else 1
            layers.append(initialise(nn.Conv2d(n_before, n_out, 3, stride, padding=1)))
            layers += [nn.BatchNorm2d(n_out)] if cfg.batch_norm else []
            layers.append(activation(cfg.activation))
    layers.append(nn.Flatten())
    layers += [nn.Dropout(cfg.dropout)] if cfg.dropout else []
    return nn.Sequential(*layers, initialise(nn.Linear(prod(shapes[-1]), width)))


def decoder(cfg: Config, code_size: int, output_shape: tuple[int, ...]) -> nn.Module:
    """(B, code_size) -> (B, C, H, W), no activation after the last layer."""
    from torch import nn

    shapes = _shapes(cfg, output_shape)[::-1]
    layers: list[nn.Module] = [initialise(nn.Linear(code_size, prod(shapes[0])))]
    layers += [activation(cfg.activation), nn.Unflatten(1, shapes[0])]
    for (n_in, *_), (n_out, height, width) in pairwise(shapes):
        # ceil(n / 2) pixels come from n = 2m - 1 and from n = 2m: the even ones lack one pixel
        lacking = ((height + 1) % 2, (width + 1) % 2)
        conv = nn.ConvTranspose2d(n_in, n_out, 3, stride=2, padding=1, output_padding=lacking)
        layers.append(initialise(conv))
        layers += [nn.BatchNorm2d(n_out)] if cfg.batch_norm else []
        layers.append(activation(cfg.activation))
    return nn.Sequential(*layers[: -2 if cfg.batch_norm else -1])


def _shapes(cfg: Config, picture: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """(C, H, W) of the picture and after each convolution."""
    if len(picture) != 3:
        raise UserError(f"network: conv needs pictures, found samples of shape {tuple(picture)}")
    channels, height, width = picture
    shapes = [(channels, height, width)]
    for n_channels in cfg.channels:
        height, width = (height + 1) // 2, (width + 1) // 2
        shapes.append((n_channels, height, width))
    return shapes
