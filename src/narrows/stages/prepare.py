"""Stage prepare: data/<dataset>/raw -> x.npy, split.npy, labels.npy beside it."""

from __future__ import annotations

from pathlib import Path

from narrows.config import params
from narrows.data.prepare import prepare, summary


def main() -> None:
    """Writes samples, splits and labels, and says how many there are."""
    p = params.load()
    folder = Path("data", p.dataset.name)
    data = prepare(p.dataset, p.prepare, p.seed, folder / "raw", folder)
    print("\n".join(f"prepare: {sentence}" for sentence in summary(data, folder)), flush=True)
