"""Which samples are in the steps of an epoch. All samples stay in one tensor, on the device."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

BLOCK = 32
"""Steps that Lightning is handed at once, because it takes 0.4 ms for whatever it is handed."""


class Shuffled:
    """Blocks of mini-batches of row numbers, in the order that the epoch's seed draws.

    A last batch with fewer than `smallest` rows joins the one before it.
    """

    def __init__(
        self,
        n: int,
        batch_size: int,
        seed: Callable[[], int],
        device: torch.device,
        smallest: int = 2,  # batch norm refuses a single sample
    ):
        self.n, self.batch_size, self.seed, self.device = n, batch_size, seed, device
        self.smallest = smallest

    def __len__(self) -> int:
        return math.ceil((math.ceil(self.n / self.batch_size) - self._has_rest()) / BLOCK)

    def __iter__(self) -> Iterator[list[Tensor]]:
        # a generator function: Lightning calls iter() before it knows the epoch that it resumes
        order = torch.randperm(self.n, generator=torch.Generator().manual_seed(self.seed()))
        batches = list(order.to(self.device).split(self.batch_size))
        if self._has_rest():
            batches[-2:] = [torch.cat(batches[-2:])]
        yield from (batches[i : i + BLOCK] for i in range(0, len(batches), BLOCK))

    def _has_rest(self) -> bool:
        return 0 < self.n % self.batch_size < self.smallest and self.n > self.batch_size


class InOrder:
    """Mini-batches of the samples themselves, as stored."""

    def __init__(self, x: Tensor, batch_size: int):
        self.batches = x.split(batch_size)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.batches)
