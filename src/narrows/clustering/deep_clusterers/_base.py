"""What deep clusterers share: the loop's settings, and centres to start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt

from narrows.clustering.centres import means
from narrows.config.plugins import Plugin, config

if TYPE_CHECKING:
    from torch import Tensor


@config
class Loop:
    batch_size: PositiveInt
    """Samples per optimiser step."""
    optimizer: Annotated[Plugin, "optimizers"]
    """How the weights and the centres move, a file in src/narrows/training/optimizers/."""
    interval: PositiveInt
    """Steps between two looks at the whole set, each of which gives new targets."""
    max_updates: PositiveInt
    """Rounds of steps and a look at the whole set, at most; one more look comes before them all."""
    tolerance: Annotated[float, Field(ge=0, lt=1)]
    """It stops when a smaller share of the clusters changed, but never before a whole pass."""
    anneal: bool = False
    """Whether the rate falls along half a cosine between two looks, to start anew at the next."""
    on_collapse: Literal["stop", "start"] = "stop"
    """When most clusters are lost: stop with an error, or keep the clusters of the start."""
    reset_every: PositiveInt | None = None
    """Updates between two soft resets, which shake the encoder and cluster anew; null for none."""
    reset_keep: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Share of an encoder's weight that a soft reset keeps; the rest is a fresh one's."""


def centres(codes: np.ndarray, clusters: np.ndarray) -> Tensor:
    """Means (K, D) of the codes (N, D) of each cluster, which are numbered 0 to K - 1."""
    import torch

    return torch.from_numpy(means(codes, clusters).astype(np.float32))
