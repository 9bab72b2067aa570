"""What `prepare` leaves for every stage that learns: samples and split, never a label."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from narrows import splits, work

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

    def all(self) -> Tensor:
        """The samples (N, ...) as stored."""
        return torch.from_numpy(np.array(self.x))

    def rows(self, split: str) -> Tensor:
        """The samples of one split."""
        return torch.from_numpy(self.x[self.split == splits.NAMES.index(split)])

    def shown(self) -> Tensor:
        """At most `N_SHOWN` validation samples, the same whatever the seed, so that pictures of
        all runs line up; drawn, because some data comes sorted by class."""
        val = self.rows("val")
        return val[np.random.default_rng(0).permutation(len(val))[:N_SHOWN]]


def read(name: str) -> Prepared:
    """data/<name>, as `prepare` wrote it."""
    x, split = (work.existing(Path("data", name, f), "prepare") for f in ("x.npy", "split.npy"))
    return Prepared(name, np.load(x, mmap_mode="r"), np.load(split), digest=work.digest(x, split))
