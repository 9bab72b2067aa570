"""What every contender is given: the network, the samples and how long to train."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Samples = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Job:
    layers: tuple[int, ...]
    """Encoder's widths, input and code included; the decoder mirrors it."""
    loss: str
    """bce, behind a sigmoid, or mse, behind nothing."""
    batch_size: int
    epochs: int
    samples: str
    """A folder with x.npy, uint8 (N, 1, 28, 28), and val.npy."""
    threads: int
    device: str = "cpu"
    """Or cuda: for this project's, the raw loop's and Lightning's trainings."""
    repeats: int = 0
    """Epochs of deep clustering after the `epochs`, or trials of a search."""

    def read(self) -> Samples:
        """Train and validation samples as stored."""
        return _read(self.samples)

    def flat(self) -> Samples:
        """The same as float32 (N, 784) in [0, 1], as the peers want them."""
        return _flat(self.samples)


@functools.cache
def _read(folder: str) -> Samples:
    return np.load(Path(folder, "x.npy")), np.load(Path(folder, "val.npy"))


@functools.cache
def _flat(folder: str) -> Samples:
    train, val = (x.reshape(len(x), -1).astype(np.float32) / 255 for x in _read(folder))
    return train, val


@functools.cache
def codes(folder: str) -> np.ndarray:
    """The 32 largest principal components of the samples."""
    from sklearn.decomposition import PCA

    z: np.ndarray = PCA(32, random_state=0).fit_transform(_flat(folder)[0])
    return z


def parsed(line: str) -> Job:
    fields: dict[str, Any] = json.loads(line)
    return Job(**{**fields, "layers": tuple(fields["layers"])})
