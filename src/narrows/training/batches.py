"""Which samples are in the steps of an epoch. All samples are one tensor, in memory or on disk."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from narrows.data.on_disk import Samples, StoredSamples

BLOCK_STEPS = 32
"""Number of steps that Lightning is handed at once, because it takes 0.4 ms for each hand-over."""


class Shuffled:
    """Blocks of steps, each of mini-batches of row numbers of x, in the order that the epoch's seed
    draws.

    A last batch with fewer than `smallest` rows joins the one before it. A step has one batch, or
    `n_together`, and the last one what is left.
    """

    def __init__(
        self,
        x: Samples,
        batch_size: int,
        seed: Callable[[], int],
        device: torch.device,
        smallest: int = 2,  # batch norm refuses a single sample
        n_together: int = 1,
    ):
        self.n_together = n_together
        self.x, self.batch_size, self.seed, self.device = x, batch_size, seed, device
        self.smallest = smallest

    def __len__(self) -> int:
        n_batches = math.ceil(len(self.x) / self.batch_size) - self._has_rest()
        return math.ceil(math.ceil(n_batches / self.n_together) / BLOCK_STEPS)

    def __iter__(self) -> Iterator[list[tuple[Tensor, ...]]]:
        # a generator function: Lightning calls iter() before it knows the epoch that it resumes
        generator = torch.Generator().manual_seed(self.seed())
        order = (
            self.x.shuffled(generator)
            if isinstance(self.x, StoredSamples)
            else torch.randperm(len(self.x), generator=generator)
        )
        batches = list(order.to(self.device).split(self.batch_size))
        if self._has_rest():
            batches[-2:] = [torch.cat(batches[-2:])]
        n = self.n_together
        steps = [tuple(batches[i : i + n]) for i in range(0, len(batches), n)]
        yield from (steps[i : i + BLOCK_STEPS] for i in range(0, len(steps), BLOCK_STEPS))

    def _has_rest(self) -> bool:
        n = len(self.x)
        return 0 < n % self.batch_size < self.smallest and n > self.batch_size


class Draws:
    """Blocks of `n_steps` mini-batches of row numbers, from as many shuffled passes over n rows as
    that takes."""

    def __init__(self, n: int, batch_size: int, n_steps: int, seed: Callable[[], int]):
        self.n, self.size, self.n_steps, self.seed = n, min(batch_size, n), n_steps, seed

    def __len__(self) -> int:
        return math.ceil(self.n_steps / BLOCK_STEPS)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        # a generator function: Lightning calls iter() before it knows the update that it resumes
        generator = torch.Generator().manual_seed(self.seed())
        n_passes = math.ceil(self.n_steps * self.size / self.n)
        order = torch.cat([torch.randperm(self.n, generator=generator) for _ in range(n_passes)])
        batches = order[: self.n_steps * self.size].split(self.size)
        yield from (batches[i : i + BLOCK_STEPS] for i in range(0, self.n_steps, BLOCK_STEPS))


class InOrder:
    """Mini-batches of the samples themselves, as stored, or one of `n` shares of each batch: it can
    be empty."""

    def __init__(self, x: Samples, batch_size: int, share: int = 0, n: int = 1):
        self.x, self.batch_size, self.share, self.n = x, batch_size, share, n

    def __len__(self) -> int:
        return math.ceil(len(self.x) / self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        for start in range(0, len(self.x), self.batch_size):
            size = min(self.batch_size, len(self.x) - start)
            first, end = (start + size * i // self.n for i in (self.share, self.share + 1))
            yield self.x[first:end]
