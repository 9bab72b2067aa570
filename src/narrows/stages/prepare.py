"""Stage prepare: data/<dataset>/raw -> x.npy, split.npy, labels.npy beside it."""

from __future__ import annotations

from pathlib import Path

from narrows.config import params
from narrows.data import spread
from narrows.data.prepare import prepare, summary
from narrows.errors import say
from narrows.rendering import progress


@progress.watch("prepare")
def main() -> None:
    """Writes samples, splits and labels, and says how many there are."""
    p = params.load()
    folder = Path("data", p.dataset.name)
    is_x_alone = not p.pretrained
    with spread.over_processes():
        data = prepare(p.dataset, p.prepare, p.seed, folder / "raw", folder, is_x_alone)
    say("\n".join(f"prepare: {sentence}" for sentence in summary(data, folder)))
