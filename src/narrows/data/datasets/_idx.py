"""What the MNIST family shares: four IDX files, 60,000 training and 10,000 test pictures."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from narrows.data import sources
from narrows.data.datasets._base import Dataset, joined
from narrows.data.sources import File

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def files(*published: tuple[str, int], suffix: str = "") -> tuple[File, ...]:
    """The four files in the order of `NAMES`.

    Args:
        published: SHA-256 in hex and bytes of each file.
        suffix: of all names, where the files stay packed.
    """
    rows = zip(NAMES, published, strict=True)
    return tuple(File(name + suffix, sha256, n_bytes) for name, (sha256, n_bytes) in rows)


def load(files: Sequence[File], raw_dir: Path) -> Dataset:
    """Pictures uint8 (N, 1, H, W) and their classes.

    Args:
        files: training pictures, training labels, test pictures, test labels.
        raw_dir: where they were fetched to.
    """
    sources.require(files, raw_dir)
    x, labels, test_x, test_labels = (read(raw_dir / file.name) for file in files)
    return joined(x[:, None], labels, test_x[:, None], test_labels)


def read(path: Path) -> np.ndarray:
    """An IDX file of bytes, also as .gz: 0, 0, 8, the number of dimensions, their sizes, data.

    torchvision has a reader too, but it takes seconds to import and does not unpack.
    """
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    n_dims = data[3]
    shape = np.frombuffer(data, ">i4", count=n_dims, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * n_dims).reshape(shape)
