"""What `prepare` leaves for every stage that learns: samples and split, never a label."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from narrows.data import blocks, on_disk, splits
from narrows.data.on_disk import Samples
from narrows.store.digests import digest
from narrows.store.reading import read_array

N_IN_VIEW = 16  # validation samples that every picture of every run shows


@dataclass(frozen=True)
class Prepared:
    """Samples and splits of a data set, without labels."""

    name: str
    """Name of the data set."""
    x: np.ndarray
    """uint8 (N, C, H, W) or float32 (N, D), memory-mapped."""
    split: np.ndarray
    """uint8 (N,), positions in `splits.NAMES`."""
    digest: str
    """SHA-256 over x.npy and split.npy."""

    def samples(self, split: str = "all") -> Samples:
        """The samples (n, ...) of one split, or all, as stored."""
        return on_disk.samples(self.x, self._rows(split))

    def in_memory(self, split: str) -> Tensor:
        """The samples (n, ...) of one split as stored; where they would not fit in memory as
        floats, as many of them, chosen at random, as do."""
        rows = blocks.subset(self._rows(split), blocks.n_in_memory(self.x.shape[1:]), seed=0)
        return torch.from_numpy(blocks.take(self.x, rows))

    def view(self) -> Tensor:
        """At most `N_IN_VIEW` validation samples as stored, the same whatever the seed, so that
        pictures of all runs line up; chosen at random, because some data comes sorted by class."""
        val = self._rows("val")
        rows = val[np.random.default_rng(0).permutation(len(val))[:N_IN_VIEW]]
        return torch.from_numpy(blocks.take(self.x, rows))

    def _rows(self, split: str) -> np.ndarray:
        return np.flatnonzero(splits.mask(self.split, split))


def read(name: str) -> Prepared:
    """data/<name>, as `prepare` wrote it.

    Raises:
        UserError: a file is missing or damaged.
    """
    x, split = (Path("data", name, file) for file in ("x.npy", "split.npy"))
    return Prepared(name, read_array(x), read_array(split, mmap=False), digest=digest(x, split))
