"""1,797 handwritten digits, 8 x 8, 10 classes; they ship inside scikit-learn, no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from narrows.config.plugins import config
from narrows.data import mirrors, sources
from narrows.data.datasets._base import Dataset
from narrows.data.sources import File

FILES = (
    File(
        "digits.csv",
        "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8",
        264_712,
    ),
)


@config
class Config:
    """No settings: there is one such data set."""


def fetch(cfg: Config, raw_dir: Path) -> None:
    """Copies the table out of the installed scikit-learn, unpacked and verified."""
    sources.fetch(FILES, raw_dir, [mirrors.installed("sklearn", "datasets/data")])


def load(cfg: Config, raw_dir: Path) -> Dataset:
    """Pictures uint8 (1797, 1, 8, 8) with their digits."""
    sources.require(FILES, raw_dir)
    table = np.loadtxt(raw_dir / FILES[0].name, dtype=np.uint8, delimiter=",")
    x = np.round(table[:, :-1] * (255 / 16)).astype(np.uint8)  # the source has 0..16
    return Dataset(x.reshape(-1, 1, 8, 8), labels=table[:, -1].astype(np.int64), is_test=None)
