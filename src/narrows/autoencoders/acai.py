"""A code between two codes decodes to something real: adversarially constrained interpolation.

Berthelot et al. 2019 (arXiv:1807.07543). A critic, built as the encoder is, guesses how far a
decoded mixture of two codes is from the nearer one; the autoencoder learns to make it guess 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PositiveFloat

from narrows.autoencoders import _base
from narrows.autoencoders._base import Row, activation, decode, encode, reconstruction_loss
from narrows.plugins import config

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Config", "build", "decode", "encode", "loss"]


@config
class Config(Row):
    weight: PositiveFloat = 0.5
    """Of the critic's guess in the autoencoder's loss, lambda in the paper."""
    gamma: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Share of the sample in the mixture with its reconstruction that the critic should call 0."""


def build(cfg: Config, input_shape: tuple[int, ...]) -> dict[str, nn.Module]:
    """Encoder, decoder and a critic, the mean of whose outputs is its guess."""
    network, options = cfg.network.module, cfg.network.config
    critic = network.encoder(options, input_shape, cfg.code_size)
    return {**_base.build(cfg, input_shape), "critic": critic}


def loss(
    cfg: Config, parts: nn.ModuleDict, noisy: Tensor, clean: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """The code (B, D); the autoencoder's terms and the critic's, in one sum: each reaches the
    weights of its own side only. Outside of training the reconstruction alone is told."""
    import torch
    from torch.func import functional_call

    z = encode(cfg, parts, noisy)
    raw = parts["decoder"](z)
    reconstruction = {"reconstruction": reconstruction_loss(cfg, raw, clean)}
    if not parts.training:
        return z, reconstruction
    share = torch.rand(len(z), 1, device=z.device) / 2
    mixed = decode(cfg, parts, share * z + (1 - share) * z.roll(1, dims=0))
    critic = parts["critic"]
    detached = {name: weight.detach() for name, weight in critic.named_parameters()}
    fooled = functional_call(critic, detached, (mixed,)).mean(dim=1)
    x_hat = activation(cfg.output_activation)(raw).detach()
    real = cfg.gamma * clean + (1 - cfg.gamma) * x_hat
    guess, zero = (critic(x).mean(dim=1) for x in (mixed.detach(), real))
    told = (guess - share[:, 0]).square().mean() + zero.square().mean()
    return z, {**reconstruction, "fooled": cfg.weight * fooled.square().mean(), "critic": told}
