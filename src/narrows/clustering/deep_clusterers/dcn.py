"""Deep clustering network (Yang et al. 2017, arXiv:1610.04794): codes friendly to k-means.

The encoder reconstructs and pulls each code towards the centre it belongs to. Centres are the means
of their codes at every look at the whole set; the paper moves them sample by sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import PositiveFloat

from narrows.clustering.deep_clusterers._base import Loop, centres
from narrows.config.plugins import config

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from narrows.clustering.deep_clusterers._base import Parts
    from narrows.models.autoencoder import Autoencoder


@config
class Config(Loop):
    weight: PositiveFloat
    """Weight of half the squared distance between a code and its centre."""


def parts(cfg: Config, codes: np.ndarray, clusters: np.ndarray) -> dict[str, Tensor]:
    """Centres (K, D), which no gradient moves."""
    from torch.nn import Parameter

    return {"centres": Parameter(centres(codes, clusters), requires_grad=False)}


def recentre(cfg: Config, parts: Parts, z: Tensor) -> None:
    """Moves each centre to the mean of the codes (F, D) nearest to it; one without any stays."""
    nearest = soft(cfg, parts, z)
    counts = nearest.sum(dim=0)
    used = counts > 0
    parts["centres"][used] = (nearest.T @ z)[used] / counts[used, None]


def soft(cfg: Config, parts: Parts, z: Tensor) -> Tensor:
    """Memberships (B, K) of codes (B, D): 1 for the nearest centre, 0 for the others."""
    import torch
    from torch.nn import functional

    centres = parts["centres"]
    return functional.one_hot(torch.cdist(z, centres).argmin(dim=1), len(centres)).to(z.dtype)


def target(cfg: Config, q: Tensor) -> Tensor:
    """The memberships (F, K) themselves."""
    return q


def loss(
    cfg: Config,
    parts: Parts,
    model: Autoencoder,
    noisy: Tensor,
    clean: Tensor,
    targets: Tensor,
) -> dict[str, Tensor]:
    """The row's own loss without its penalty, from the augmented to the clean samples, and the pull
    to the centres."""
    z, terms = model.kind.loss(model.cfg, model.parts, noisy, clean)
    own = (targets[:, :, None] * parts["centres"]).sum(dim=1)  # a product would round them to bf16
    pull = (z - own).square().sum(dim=1).mean() / 2
    return {**terms, "clustering": cfg.weight * pull}
