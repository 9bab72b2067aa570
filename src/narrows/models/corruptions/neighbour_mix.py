"""Mixing with a near neighbour: a step from each sample towards the nearest one of its batch.

For features, whose single values mean little: between two neighbours of a kind lies mostly more of
that kind. The larger the batch, the nearer the neighbours are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from narrows.config.plugins import config
from narrows.models.corruptions._base import Noise

if TYPE_CHECKING:
    import torch

CHUNK = 1024  # samples whose distances to all others are in memory at once


@config
class Config(Noise):
    largest: Annotated[float, Field(gt=0, le=1)]
    """Share of the way to the neighbour that a sample goes at most; each goes a part of it that is
    drawn evenly. At 1 some come close to their neighbour, at 0.5 no nearer to it than to where they
    were."""


def corrupt(cfg: Config, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """(1 - s) x + s x_n for a batch (B, ...), s uniform in [0, largest) by sample, x_n the nearest
    other sample by Euclidean distance. A batch of one stays as it is."""
    import torch

    share = cfg.largest * torch.rand(len(x), generator=generator, device=x.device, dtype=x.dtype)
    if len(x) < 2:
        return x.clone()
    return torch.lerp(x, x[_nearest(x.flatten(1))], share.reshape(-1, *[1] * (x.dim() - 1)))


def _nearest(x: torch.Tensor) -> torch.Tensor:
    """Row (B,) of the nearest other one of rows x (B, D)."""
    import torch

    parts = []
    for start in range(0, len(x), CHUNK):
        own = torch.arange(start, min(start + CHUNK, len(x)), device=x.device)
        distances = torch.cdist(x[own], x)
        distances[own - start, own] = torch.inf
        parts.append(distances.argmin(1))
    return torch.cat(parts)
