"""Figures of the source documents beside what benchmarks/documents.py measured, on MNIST.

The measurement took hours and is the tool's own, so documents.csv travels with the package.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("documents.csv")
DATASETS = ("mnist", "mnist_5k")  # data sets whose pages show them
QUANTITIES = {  # column of the file: what it is
    "nmi_pixels": "K-means on pixels, NMI",
    "val_mse": "Autoencoder with a sigmoid code of 10, MSE",
    "nmi_autoencoder": "K-means on its codes, NMI",
    "train_mse": "Autoencoder with a linear code of 10, MSE of what it learned from",
    "nmi_dec": "DEC, NMI",
}


@dataclass(frozen=True)
class Claim:
    """A figure of the source documents, and ours."""

    what: str
    """Method and score, as the page says them."""
    theirs: float
    """Value in the documents."""
    ours: float | None
    """Our mean over seeds; None where nothing was measured yet."""
    n_seeds: int
    """Number of seeds that were measured."""


def read(file: Path = FILE) -> list[Claim]:
    """A claim for each figure of the documents; empty where the file is missing."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as stream:
        theirs, *ours = csv.DictReader(stream)
    claims = []
    for column, what in QUANTITIES.items():
        measured = [float(row[column]) for row in ours if row[column]]
        mean = sum(measured) / len(measured) if measured else None
        claims.append(Claim(what, float(theirs[column]), mean, len(measured)))
    return claims
