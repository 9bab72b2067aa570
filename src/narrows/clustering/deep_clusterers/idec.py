"""Improved DEC (Guo et al. 2017, IJCAI): the decoder keeps reconstructing, which holds the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import PositiveFloat

from narrows.clustering.deep_clusterers._student import Student, kl, parts, soft, target
from narrows.config.plugins import config

if TYPE_CHECKING:
    from torch import Tensor, nn

    from narrows.models.autoencoder import Autoencoder

__all__ = ["Config", "loss", "parts", "soft", "target"]


@config
class Config(Student):
    gamma: PositiveFloat = 0.1
    """Weight of KL(p || q); that of the encoder row's own loss, without its penalty, is 1."""


def loss(
    cfg: Config,
    parts: nn.ParameterDict,
    model: Autoencoder,
    noisy: Tensor,
    clean: Tensor,
    p: Tensor,
) -> dict[str, Tensor]:
    """The row's own loss without its penalty, from the augmented to the clean samples, and
    KL(p || q)."""
    z, terms = model.kind.loss(model.cfg, model.parts, noisy, clean)
    return {**terms, "clustering": cfg.gamma * kl(p, soft(cfg, parts, z))}
