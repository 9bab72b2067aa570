"""Self-labelling: the encoder learns to name the clusters of augmented samples.

Each round ends with the start's clusterer on the new codes, whose clusters are the next round's
names. (Caron et al. 2018, arXiv:1807.05520, with a clusterer of one's choice for k-means.)

Where the first names are those that several clusterings agree on, the layer that learns them can
name the rest itself: a student of a committee (Xie et al. 2020, arXiv:1911.04252, without labels).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from narrows.clustering.deep_clusterers._base import Loop, recentre
from narrows.config.plugins import config

if TYPE_CHECKING:
    from torch import Tensor

    from narrows.clustering.deep_clusterers._base import Parts
    from narrows.models.autoencoder import Autoencoder

__all__ = ["Config", "loss", "parts", "recentre", "soft", "target"]


@config
class Config(Loop):
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of a target that is spread over all clusters (Szegedy et al. 2016)."""
    read_out: Literal["start", "layer"] = "start"
    """What names the clusters after each round: the start's clusterer, fitted anew on the codes, or
    the layer that has learned the names."""

    def __post_init__(self) -> None:
        if self.reset_every is not None:
            raise ValueError(f"reset_every: self_label has no soft reset, found {self.reset_every}")


def parts(cfg: Config, codes: np.ndarray, clusters: np.ndarray) -> dict[str, Tensor]:
    """Weights (K, D) and biases (K,) of a linear layer that names the clusters."""
    import torch

    k = int(clusters.max()) + 1
    return {"weight": torch.zeros(k, codes.shape[1]), "bias": torch.zeros(k)}


def soft(cfg: Config, parts: Parts, z: Tensor) -> Tensor | None:
    """The layer's memberships (B, K) of codes (B, D), once it has learned; None where the start's
    clusterer reads the clusters off."""
    from torch.nn import functional

    if cfg.read_out == "start" or not bool(parts["weight"].any()):
        return None
    return functional.linear(z, parts["weight"], parts["bias"]).softmax(dim=1)


def target(cfg: Config, q: Tensor) -> Tensor:
    """The clusters (F, K), smoothed; noise has no target."""
    return q * (1 - cfg.smoothing) + q.sum(dim=1, keepdim=True) * cfg.smoothing / q.shape[1]


def loss(
    cfg: Config,
    parts: Parts,
    model: Autoencoder,
    noisy: Tensor,
    clean: Tensor,
    targets: Tensor,
) -> dict[str, Tensor]:
    """Cross-entropy of the names that the layer gives to augmented samples."""
    from torch.nn import functional

    logits = functional.linear(model.encode(noisy), parts["weight"], parts["bias"])
    return {"clustering": -(targets * logits.log_softmax(dim=1)).sum(dim=1).mean()}
