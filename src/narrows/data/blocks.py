"""Arrays that may be larger than memory, a part at a time."""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Sequence

import numpy as np

BLOCK = 1024
"""Number of samples that are read or written at once."""
VALUES_IN_MEMORY = 2**26
"""Number of values, as floats, of the samples that a method may have in memory at once."""


def n_in_memory(shape: Sequence[int]) -> int:
    """How many samples of this shape hold `VALUES_IN_MEMORY` values; at least one.

    >>> n_in_memory((3, 64, 64)), n_in_memory((1, 28, 28))
    (5461, 85598)
    """
    return max(1, VALUES_IN_MEMORY // math.prod(shape))


def n_together(shape: Sequence[int]) -> int:
    """How many samples of this shape are worked on at once, with copies of them as floats: `BLOCK`,
    and fewer of large ones.

    >>> n_together((1, 28, 28)), n_together((3, 512, 512))
    (1024, 21)
    """
    return min(BLOCK, max(1, n_in_memory(shape) // 4))


def subset(rows: np.ndarray, n: int, seed: int) -> np.ndarray:
    """At most n of the rows (N,), drawn by the seed, in ascending order.

    >>> subset(np.array([3, 5, 8]), 5, seed=0).tolist()
    [3, 5, 8]
    """
    if len(rows) <= n:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, n, replace=False))


def take(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rows (n,) of x (N, ...), as a copy."""
    copy = np.empty((len(rows), *x.shape[1:]), x.dtype)
    for start in range(0, len(rows), BLOCK):
        copy[start : start + BLOCK] = x[rows[start : start + BLOCK]]
        forget(x)
    return copy


def blocks(x: np.ndarray, size: int = BLOCK) -> Iterator[np.ndarray]:
    """Consecutive rows of an array, as copies."""
    for start in range(0, len(x), size):
        yield np.array(x[start : start + size])
        forget(x)


def forget(x: np.ndarray) -> None:
    """Gives back the memory of what was read of a memory map that is not written to."""
    if isinstance(x.base, mmap.mmap):
        x.base.madvise(mmap.MADV_DONTNEED)
