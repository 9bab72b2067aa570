"""Learning curves of encoders as files that DVC draws, a chart for each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from narrows.report.artifacts import ReportedEncoder
from narrows.store.files import write_csv

LOSSES = ("train/loss", "val/loss")


def write(encoders: Iterable[ReportedEncoder], folder: Path) -> None:
    """Writes curves/<key>.csv below the folder, a line an epoch; baselines have none."""
    curves = folder / "curves"
    curves.mkdir()
    for encoder in encoders:
        if encoder.history is not None:
            epochs = encoder.history["epoch"].astype(int)
            losses = (encoder.history[name] for name in LOSSES)
            lines = list(zip(epochs, *losses, strict=True))
            write_csv(curves / f"{encoder.key}.csv", lines, ("epoch", *LOSSES))
