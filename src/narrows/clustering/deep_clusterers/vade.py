"""Variational deep embedding (Jiang et al. 2017, arXiv:1611.05148): the prior of a variational
row becomes a mixture of Gaussians, one per cluster, trained with the encoder and the decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from narrows.clustering.centres import variances
from narrows.clustering.deep_clusterers._base import Loop, centres, recentre
from narrows.config.plugins import config
from narrows.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from narrows.clustering.deep_clusterers._base import Parts
    from narrows.models.autoencoder import Autoencoder

__all__ = ["Config", "loss", "parts", "recentre", "soft", "target"]

MIN_VARIANCE = 1e-4
"""Least variance of a component along an axis; a smaller one would hold a single code."""


@config
class Config(Loop):
    pass


def parts(cfg: Config, codes: np.ndarray, clusters: np.ndarray) -> dict[str, Tensor]:
    """Logits (K,), centres (K, D) and log variances (K, D) of the mixture."""
    import torch

    k = clusters.max() + 1
    spread = np.maximum(variances(codes, clusters), MIN_VARIANCE)
    share = np.bincount(clusters, minlength=k) / len(clusters)
    return {
        "logits": torch.from_numpy(np.log(share).astype(np.float32)),
        "centres": centres(codes, clusters),
        "log_variances": torch.from_numpy(np.log(spread)).float(),
    }


def soft(cfg: Config, parts: Parts, z: Tensor) -> Tensor:
    """Posteriors p(c | z), (B, K), of codes (B, D)."""
    return log_soft(parts, z).exp()


def log_soft(parts: Parts, z: Tensor) -> Tensor:
    """Logarithms (B, K) of `soft`, whose own gradient is not finite where a posterior is 0."""
    log_variances = parts["log_variances"]  # (K, D)
    # log p(z, c) up to a constant: log pi_c - 1/2 sum_d [(z - mu_cd)^2 / var_cd + log var_cd]
    squared = (z[:, None] - parts["centres"]).square() / log_variances.exp()  # (B, K, D)
    joint = parts["logits"].log_softmax(dim=0) - (squared + log_variances).sum(dim=2) / 2
    return joint.log_softmax(dim=1)


def target(cfg: Config, q: Tensor) -> Tensor:
    """The memberships (F, K) themselves; the loss takes those of its own draws."""
    return q


def loss(
    cfg: Config,
    parts: Parts,
    model: Autoencoder,
    noisy: Tensor,
    clean: Tensor,
    targets: Tensor,
) -> dict[str, Tensor]:
    """The negative bound per value of the sample, equation 12 of the paper with one draw.

    -log p(x|z) + KL(q(z|x) || p(z|c)), expected over gamma = p(c|z), + KL(gamma || pi)
    """
    import torch

    kind = model.variational
    if kind is None:
        raise UserError("method: vade needs an encoder row of name: variational")
    mean, log_variance = kind.posterior(model.cfg, model.parts, noisy)  # (B, D) each
    z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    raw = model.parts["decoder"](z).float()
    likelihood = kind.log_likelihood(model.cfg, raw, clean).mean()
    log_gamma = log_soft(parts, z)  # (B, K)
    gamma = log_gamma.exp()
    # expectation of -2 log p(z|c) under q(z|x), up to a constant
    spread = log_variance.exp()[:, None] + (mean[:, None] - parts["centres"]).square()
    log_prior = parts["log_variances"] + spread / parts["log_variances"].exp()  # (B, K, D)
    weights = parts["logits"].log_softmax(dim=0)
    kl = (gamma * log_prior.sum(dim=2)).sum(dim=1) / 2 - (1 + log_variance).sum(dim=1) / 2  # (B,)
    kl = kl + (gamma * (log_gamma - weights)).sum(dim=1)
    n_values = clean[0].numel()
    return {"reconstruction": -likelihood / n_values, "clustering": kl.mean() / n_values}
