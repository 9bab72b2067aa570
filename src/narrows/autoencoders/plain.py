"""Encoder, code, decoder: the undercomplete, overcomplete, deep, denoising and sparse ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from narrows.autoencoders._base import Row, reconstruction_loss
from narrows.networks._base import activation
from narrows.plugins import config

if TYPE_CHECKING:
    from torch import Tensor, nn


@config
class Config(Row):
    pass


def build(cfg: Config, input_shape: tuple[int, ...]) -> dict[str, nn.Module]:
    """The modules that are trained."""
    from torch import nn

    network, options = cfg.network.module, cfg.network.config
    encoder = network.encoder(options, input_shape, cfg.code_size)
    return {
        "encoder": nn.Sequential(encoder, activation(cfg.code_activation)),
        "decoder": network.decoder(options, cfg.code_size, input_shape),
    }


def encode(cfg: Config, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    """Codes (B, D) of samples (B, ...)."""
    z: Tensor = parts["encoder"](x)
    return z


def decode(cfg: Config, parts: nn.ModuleDict, z: Tensor) -> Tensor:
    """Reconstructions (B, ...) from codes (B, D)."""
    x_hat: Tensor = activation(cfg.output_activation)(parts["decoder"](z))
    return x_hat


def loss(
    cfg: Config, parts: nn.ModuleDict, noisy: Tensor, clean: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """The code (B, D) that a penalty acts on, and the terms whose sum is minimised."""
    z = encode(cfg, parts, noisy)
    return z, {"reconstruction": reconstruction_loss(cfg, parts["decoder"](z), clean)}
