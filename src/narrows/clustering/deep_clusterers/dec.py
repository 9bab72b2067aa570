"""Deep embedded clustering (Xie, Girshick & Farhadi 2016, arXiv:1511.06335).

The encoder and the centres move so that memberships become as sure as a sharpened copy of
themselves; the decoder is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from narrows.clustering.deep_clusterers._student import Student, kl, parts, recentre, soft, target
from narrows.config.plugins import config

if TYPE_CHECKING:
    from torch import Tensor

    from narrows.clustering.deep_clusterers._base import Parts
    from narrows.models.autoencoder import Autoencoder

__all__ = ["Config", "loss", "parts", "recentre", "soft", "target"]


@config
class Config(Student):
    pass


def loss(
    cfg: Config,
    parts: Parts,
    model: Autoencoder,
    noisy: Tensor,
    clean: Tensor,
    targets: Tensor,
) -> dict[str, Tensor]:
    """KL(p || q) of the augmented samples' memberships q and the clean ones' targets p."""
    return {"clustering": kl(targets, soft(cfg, parts, model.encode(noisy)))}
