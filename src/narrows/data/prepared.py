"""What `prepare` leaves for every stage that learns: samples and split, never a label."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from narrows.data import blocks, on_disk, splits
from narrows.data.on_disk import Samples
from narrows.store.digests import digest
from narrows.store.reading import existing

N_SHOWN = 16  # validation samples that every picture of every run shows


@dataclass(frozen=True)
class Prepared:
    name: str
    """Of the data set."""
    x: np.ndarray
    """uint8 (N, C, H, W) or float32 (N, D), memory-mapped."""
    split: np.ndarray
    """uint8 (N,), positions in `splits.NAMES`."""
    digest: str
    """SHA-256 over x.npy and split.npy."""

    def all(self) -> Samples:
        """The samples (N, ...) as stored."""
        return on_disk.samples(self.x, np.arange(len(self.x)))

    def rows(self, split: str) -> Samples:
        """The samples of one split."""
        return on_disk.samples(self.x, self._places(split))

    def few(self, split: str) -> Tensor:
        """The samples of one split, or as many of them, drawn, as fit in memory as floats."""
        places = blocks.drawn(self._places(split), blocks.n_few(self.x.shape[1:]), seed=0)
        return torch.from_numpy(blocks.taken(self.x, places))

    def shown(self) -> Tensor:
        """At most `N_SHOWN` validation samples, the same whatever the seed, so that pictures of
        all runs line up; drawn, because some data comes sorted by class."""
        val = self._places("val")
        drawn = val[np.random.default_rng(0).permutation(len(val))[:N_SHOWN]]
        return torch.from_numpy(blocks.taken(self.x, drawn))

    def _places(self, split: str) -> np.ndarray:
        return np.flatnonzero(self.split == splits.NAMES.index(split))


def read(name: str) -> Prepared:
    """data/<name>, as `prepare` wrote it."""
    x, split = (existing(Path("data", name, f)) for f in ("x.npy", "split.npy"))
    return Prepared(name, np.load(x, mmap_mode="r"), np.load(split), digest=digest(x, split))
