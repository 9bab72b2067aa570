"""The variational autoencoder: a code drawn from a Gaussian that the encoder describes.

Kingma & Welling 2014 (arXiv:1312.6114). With `loss: bce` the decoder's values are means of
Bernoullis, with `loss: mse` means of Gaussians of one fixed deviation. The bound is in nats per
sample; it is minimised per value of the sample, on the scale of every other row's loss.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import NonNegativeFloat, PositiveFloat

from narrows.config.plugins import config
from narrows.models.autoencoders import _base
from narrows.models.autoencoders._base import AutoencoderRow, decode, layers, start
from narrows.models.networks._base import Network

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "HAS_POSTERIOR",
    "Config",
    "build",
    "decode",
    "encode",
    "layers",
    "log_likelihood",
    "loss",
    "nll",
    "posterior",
    "start",
    "terms",
]

HAS_POSTERIOR = True


@config
class Config(AutoencoderRow):
    beta: NonNegativeFloat = 1.0
    """Weight of the KL divergence (Higgins et al. 2017); 1 is the bound on log p."""
    free_bits: NonNegativeFloat = 0.0
    """Nats of KL that each code unit has for free (Kingma et al. 2016, arXiv:1606.04934)."""
    deviation: PositiveFloat = 0.1
    """Standard deviation of the Gaussian decoder's values; with `loss: mse` only."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.code_activation != "linear":
            raise ValueError(
                "name: variational needs code_activation: linear, because the code is a Gaussian's "
                f"mean; found {self.code_activation!r}"
            )


def build(cfg: Config, input_shape: tuple[int, ...]) -> dict[str, nn.Module]:
    """An encoder of twice the code size, for means and log variances, and a decoder."""
    network: Network = cfg.network.module
    options = cfg.network.config
    return {
        "encoder": network.encoder(options, input_shape, 2 * cfg.code_size),
        "decoder": network.decoder(options, cfg.code_size, input_shape),
    }


def posterior(cfg: Config, parts: nn.ModuleDict, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log variance, (B, D) each, of q(z|x)."""
    mean, log_var = parts["encoder"](x).float().chunk(2, dim=1)
    return mean, log_var


def encode(cfg: Config, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    """The means (B, D): the code of every later stage."""
    return posterior(cfg, parts, x)[0]


def loss(
    cfg: Config, parts: nn.ModuleDict, noisy: Tensor, clean: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """The mean (B, D), and the negative bound per value, of one draw of each code."""
    mean, log_var = posterior(cfg, parts, noisy)
    n_values = clean[0].numel()
    units = kl(mean, log_var).mean(0).clamp(min=cfg.free_bits)
    raw = parts["decoder"](_sample(mean, log_var)).float()
    return mean, {
        "reconstruction": -log_likelihood(cfg, raw, clean).mean() / n_values,
        "kl": cfg.beta * units.sum() / n_values,
    }


def kl(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(q || N(0, 1)) of each unit in nats, (B, D); appendix B of Kingma & Welling 2014.

        KL = 1/2 (mean^2 + var - 1 - log var)

    >>> import torch
    >>> kl(torch.tensor([[0.0, 2.0]]), torch.zeros(1, 2))
    tensor([[0., 2.]])
    """
    return 0.5 * (mean**2 + log_var.exp() - 1 - log_var)


def log_likelihood(cfg: Config, raw: Tensor, clean: Tensor) -> Tensor:
    """log p(x|z) in nats per sample, (B,), from the decoder's last layer before activation."""
    from torch.nn import functional

    if cfg.loss == "bce":
        nats = -functional.binary_cross_entropy_with_logits(raw, clean, reduction="none")
    else:
        x_hat = _base.activation(cfg.output_activation)(raw)
        nats = -0.5 * ((clean - x_hat) / cfg.deviation) ** 2
        nats = nats - math.log(cfg.deviation * math.sqrt(2 * math.pi))
    return nats.flatten(1).sum(1)


def terms(cfg: Config, parts: nn.ModuleDict, x: Tensor) -> dict[str, Tensor]:
    """The bound's parts for clean samples x, one draw of each code: "reconstruction", which is
    log p(x|z), (B,), "kl" (B, D), and "mean" (B, D)."""
    mean, log_var = posterior(cfg, parts, x)
    raw = parts["decoder"](_sample(mean, log_var))
    return {
        "reconstruction": log_likelihood(cfg, raw, x),
        "kl": kl(mean, log_var),
        "mean": mean,
    }


def nll(cfg: Config, parts: nn.ModuleDict, x: Tensor, n_draws: int) -> Tensor:
    """-log p(x) in nats, (B,), from above by importance weighting over `n_draws` codes.

        -log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x)

    Burda, Grosse & Salakhutdinov 2016 (arXiv:1509.00519), equation 8; one draw is the bound.
    """
    import torch

    mean, log_var = posterior(cfg, parts, x)
    weights = []  # log of each, (B,)
    for _ in range(n_draws):
        z = _sample(mean, log_var)  # (B, D)
        prior = -0.5 * z**2  # log densities (B, D) of p(z) and q(z|x), whose constants cancel
        proposal = -0.5 * ((z - mean) ** 2 / log_var.exp() + log_var)
        likelihood = log_likelihood(cfg, parts["decoder"](z), x)
        weights.append(likelihood + (prior - proposal).sum(1))
    return math.log(n_draws) - torch.stack(weights).logsumexp(0)


def _sample(mean: Tensor, log_var: Tensor) -> Tensor:
    """Codes z = mean + deviation * noise, (B, D), from torch's global generator."""
    import torch

    return mean + (0.5 * log_var).exp() * torch.randn_like(mean)
