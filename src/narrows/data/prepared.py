"""What every stage that learns reads: samples, or features of them, and split, never a label."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from narrows.config.sections import SAMPLES
from narrows.data import blocks, on_disk, splits
from narrows.data.on_disk import Samples
from narrows.store import features
from narrows.store.digests import digest
from narrows.store.reading import read_array, same_rows

N_IN_VIEW = 16  # validation samples that every picture of every run shows


@dataclass(frozen=True)
class Prepared:
    """Samples and splits of a data set, without labels."""

    name: str
    """Name of the data set."""
    x: np.ndarray
    """uint8 (N, C, H, W) or float32 (N, D), memory-mapped; of a row whose `input` is a row of
    `pretrained`, its features."""
    split: np.ndarray
    """uint8 (N,), positions in `splits.NAMES`."""
    digest: str
    """SHA-256 over x.npy and split.npy of the data set."""
    input: str = SAMPLES
    """`SAMPLES`, or the key of the row of `pretrained` whose features these are."""

    def samples(self, split: str = "all") -> Samples:
        """The samples (n, ...) of one split, or all, as stored."""
        return on_disk.samples(self.x, self._rows(split))

    def in_order(self, split: str = "all") -> Samples:
        """The same for what reads them a few times from first to last: on disk from fewer on."""
        return on_disk.samples(self.x, self._rows(split), on_disk.AT_HAND)

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


def read(name: str, input: str = SAMPLES) -> Prepared:
    """data/<name>, as `prepare` wrote it, or features of it, as stage `pretrained` did.

    Raises:
        UserError: a file is missing or damaged, or features are of other samples.
    """
    x, split, *of_features = features.data_files(name, input)
    own = of_features[0] if of_features else x
    samples, splits = read_array(own), read_array(split, mmap=False)
    same_rows(own, samples, splits)
    return Prepared(name, samples, splits, digest=digest(x, split), input=input)
