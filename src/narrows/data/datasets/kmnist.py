"""Kuzushiji-MNIST: 70,000 cursive Japanese characters, 28 x 28, 10 classes (arXiv:1812.01718).

The SHA-256 that TensorFlow Datasets publishes are those of the .gz files, so these are kept packed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from narrows.config.plugins import config
from narrows.data import mirrors, sources
from narrows.data.datasets import _idx
from narrows.data.datasets._base import Dataset
from narrows.data.datasets._published import Published
from narrows.data.sources import Mirror

FILES = _idx.files(
    ("51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4", 18_165_135),
    ("e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17", 29_497),
    ("edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5", 3_041_136),
    ("20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c", 5_120),
    suffix=".gz",
)


@config
class Config(Published):
    """Where the files come from."""


def fetch(cfg: Config, raw_dir: Path) -> None:
    """Puts the four verified IDX files, packed, into `raw_dir`."""
    sources.fetch(FILES, raw_dir, _mirrors(cfg))


def load(cfg: Config, raw_dir: Path) -> Dataset:
    """Pictures uint8 (70000, 1, 28, 28) with their classes; the last 10,000 are the test set."""
    return _idx.load(FILES, raw_dir)


def _mirrors(cfg: Config) -> Iterator[Mirror]:
    yield from mirrors.own("kmnist", cfg.mirror)
    from torchvision.datasets import KMNIST

    for url in KMNIST.mirrors:
        yield mirrors.web(url, url.rstrip("/"))
