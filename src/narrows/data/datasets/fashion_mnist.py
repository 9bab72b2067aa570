"""Fashion-MNIST: 70,000 pictures of clothes, 28 x 28, 10 classes (arXiv:1708.07747)."""

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
    ("c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888", 47_040_016),
    ("bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9", 60_008),
    ("5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b", 7_840_016),
    ("0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34", 10_008),
)
DEBIAN_FOLDER = "usr/share/datasets/fashion-mnist"


@config
class Config(Published):
    """Where the files come from."""


def fetch(cfg: Config, raw_dir: Path) -> None:
    """Puts the four verified IDX files into `raw_dir`."""
    sources.fetch(FILES, raw_dir, _mirrors(cfg))


def load(cfg: Config, raw_dir: Path) -> Dataset:
    """Pictures uint8 (70000, 1, 28, 28) with their classes; the last 10,000 are the test set."""
    return _idx.load(FILES, raw_dir)


def _mirrors(cfg: Config) -> Iterator[Mirror]:
    yield from mirrors.own("fashion_mnist", cfg.mirror)
    yield mirrors.folder("Debian's installed copy", Path("/") / DEBIAN_FOLDER)
    from torchvision.datasets import FashionMNIST

    for url in FashionMNIST.mirrors:
        yield mirrors.web(url, url.rstrip("/"))
    yield mirrors.apt("dataset-fashion-mnist", DEBIAN_FOLDER)
