"""Samples that are too many for memory: a memory-mapped array of which only parts are read."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from narrows.data.blocks import BLOCK, take

IN_MEMORY = 2**30
"""Number of bytes of samples above which they stay on disk."""
AT_HAND = 2**26
"""Number of bytes of samples above which they stay on disk where they are read in their order."""
N_STRETCHES = 32  # stretches of `BLOCK` samples that are shuffled together


class StoredSamples:
    """Rows of an array on disk, with what of a tensor trainings and read-outs use.

    Each access reads anew and leaves nothing of the map in the process's memory; what the operating
    system keeps of the file it gives up when others need memory.
    """

    def __init__(self, x: np.ndarray, rows: np.ndarray):
        self.x, self.places = x, rows
        self.shape = (len(rows), *x.shape[1:])

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, chosen: Tensor | slice) -> Tensor:
        """The samples (n, ...) of some of the rows, on the CPU."""
        rows = self.places[chosen if isinstance(chosen, slice) else chosen.cpu().numpy()]
        return torch.from_numpy(take(self.x, rows))

    def split(self, size: int) -> Iterator[Tensor]:
        """Batches of consecutive samples, each read when it is asked for."""
        return (self[start : start + size] for start in range(0, len(self), size))

    def to(self, device: torch.device) -> StoredSamples:
        """Itself: batches move one by one."""
        return self

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """All places, in an order in which a disk can read: those of 32 stretches from anywhere,
        mixed, then those of the next 32."""
        stretches = torch.arange(len(self)).split(BLOCK)
        order = torch.randperm(len(stretches), generator=generator)
        windows = [torch.cat([stretches[i] for i in part]) for part in order.split(N_STRETCHES)]
        return torch.cat([w[torch.randperm(len(w), generator=generator)] for w in windows])


Samples = Tensor | StoredSamples


def samples(x: np.ndarray, rows: np.ndarray, n_bytes: int | None = None) -> Samples:
    """The rows (n,) of x (N, ...): in memory if they are at most `n_bytes`, or `IN_MEMORY`."""
    limit = IN_MEMORY if n_bytes is None else min(n_bytes, IN_MEMORY)
    if len(rows) * math.prod(x.shape[1:]) * x.itemsize > limit:
        return StoredSamples(x, rows)
    return torch.from_numpy(take(x, rows))
