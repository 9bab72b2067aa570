"""Figures of the source documents beside what benchmarks/documents.py measured, on MNIST."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

FILE = Path("results/documents.csv")
DATASETS = ("mnist", "mnist_5k")  # of whose pages they are a part
TOLD = {  # column of the file: what it is
    "nmi_pixels": "K-means on pixels, NMI",
    "val_mse": "Autoencoder with a sigmoid code of 10, MSE",
    "nmi_autoencoder": "K-means on its codes, NMI",
    "train_mse": "Autoencoder with a linear code of 10, MSE of what it learned from",
    "nmi_dec": "DEC, NMI",
}


@dataclass(frozen=True)
class Claim:
    what: str
    theirs: float
    ours: float | None
    """Mean over seeds; None where nothing was measured yet."""
    n_seeds: int


def read(file: Path = FILE) -> list[Claim]:
    """One for each figure; empty where the file is missing."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as stream:
        theirs, *ours = csv.DictReader(stream)
    found = []
    for column, what in TOLD.items():
        measured = [float(row[column]) for row in ours if row[column]]
        mean = sum(measured) / len(measured) if measured else None
        found.append(Claim(what, float(theirs[column]), mean, len(measured)))
    return found
