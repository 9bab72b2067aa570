"""USPS: 9,298 handwritten digits from envelopes, 16 x 16, 10 classes (Hull 1994), as LIBSVM has it.

The SHA-256 that torchvision publishes (its prototype datasets) are those of the .bz2 files, so
these are kept packed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from narrows.config.plugins import config
from narrows.data import mirrors, sources
from narrows.data.datasets._base import Dataset, joined
from narrows.data.datasets._published import Published
from narrows.data.sources import File, Mirror

FILES = (  # their sizes are not published
    File(
        "usps.bz2",
        "3771e9dd6ba685185f89867b6e249233dd74652389f263963b3b741e994b034f",
        16 << 20,
    ),
    File(
        "usps.t.bz2",
        "a9c0164e797d60142a50604917f0baa604f326e9a689698763793fa5d12ffc4e",
        16 << 20,
    ),
)


@config
class Config(Published):
    """Where the files come from."""


def fetch(cfg: Config, raw_dir: Path) -> None:
    """Puts the two verified files, packed, into `raw_dir`."""
    sources.fetch(FILES, raw_dir, _mirrors(cfg))


def load(cfg: Config, raw_dir: Path) -> Dataset:
    """Pictures uint8 (9298, 1, 16, 16) with their digits; the last 2,007 are the test set."""
    sources.require(FILES, raw_dir)
    train, test = (_read(raw_dir / file.name) for file in FILES)
    return joined(*train, *test)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The text file's pixels in -1..1 become uint8 0..255, its labels 1..10 the digits 0..9."""
    from sklearn.datasets import load_svmlight_file

    pixels, labels = load_svmlight_file(str(path), n_features=256, dtype=np.float32)
    x = np.round((pixels.toarray() + 1) * 127.5).astype(np.uint8)
    return x.reshape(-1, 1, 16, 16), labels - 1


def _mirrors(cfg: Config) -> Iterator[Mirror]:
    yield from mirrors.own("usps", cfg.mirror)
    from torchvision.datasets import USPS

    for base in sorted({url.rpartition("/")[0] for url, _, _ in USPS.split_list.values()}):
        yield mirrors.web(base, base)
