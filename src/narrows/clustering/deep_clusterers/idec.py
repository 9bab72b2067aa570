"""Improved DEC (Guo et al. 2017, IJCAI): the decoder keeps reconstructing, which holds the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import PositiveFloat

from narrows.clustering.deep_clusterers._student import Student, kl, parts, recentre, soft, target
from narrows.config.plugins import config

if TYPE_CHECKING:
    from torch import Tensor

    from narrows.clustering.deep_clusterers._base import Parts
    from narrows.models.autoencoder import Autoencoder

__all__ = ["Config", "loss", "parts", "recentre", "soft", "target"]


@config
class Config(Student):
    gamma: PositiveFloat = 0.1
    """Weight of KL(p || q); that of the encoder row's own loss, without its penalty, is 1."""


def loss(
    cfg: Config,
    parts: Parts,
    model: Autoencoder,
    noisy: Tensor,
    clean: Tensor,
    targets: Tensor,
) -> dict[str, Tensor]:
    """The row's own loss without its penalty, from the augmented to the clean samples, and
    KL(p || q)."""
    z, terms = model.kind.loss(model.cfg, model.parts, noisy, clean)
    return {**terms, "clustering": cfg.gamma * kl(targets, soft(cfg, parts, z))}
