"""What commands share: a row of `clusterings` or `deep_clusterings`, and what its stages left."""

from __future__ import annotations

import argparse
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from narrows.config import params
from narrows.config.params import Params
from narrows.data import names as samples
from narrows.data.names import SampleNames
from narrows.errors import UserError
from narrows.store import clusterings, evaluations
from narrows.store.evaluations import StoredEvaluation
from narrows.store.reading import existing, same_rows


@dataclass(frozen=True)
class Chosen:
    params: Params
    key: str
    """Of the row."""
    encoder: str
    """Key of its encoder."""
    is_deep: bool
    x: np.ndarray
    """(N, ...), memory-mapped."""
    clusters: np.ndarray
    """(N,), -1 is noise."""
    named: SampleNames | None
    """Names and dates by row of x."""

    @property
    def dataset(self) -> str:
        return self.params.dataset.name

    @property
    def data(self) -> Path:
        return Path("data", self.dataset)

    @property
    def artifacts(self) -> Path:
        return Path("artifacts", self.dataset)

    @property
    def sizes(self) -> dict[int, int]:
        """By cluster, the largest first, noise last."""
        counted = zip(*np.unique(self.clusters, return_counts=True), strict=True)
        sizes = {int(cluster): int(n) for cluster, n in counted}
        return dict(sorted(sizes.items(), key=lambda item: (item[0] < 0, -item[1])))

    def codes(self) -> np.ndarray:
        """(N, D), memory-mapped: the encoder's, or those that were refined with the clusters."""
        stored = clusterings.open_clustering(self.artifacts, self.key)
        same_rows(stored.folder, stored.codes, self.x)
        return stored.codes

    def plane(self) -> np.ndarray:
        """(n, 3): the map that stage `evaluate` made of the codes, and clusters; (0, 3) without."""
        place = (
            evaluations.refined_folder(self.artifacts, self.key)
            if self.is_deep
            else evaluations.encoder_folder(self.artifacts, self.encoder)
        )
        if not place.exists():
            return np.empty((0, 3))
        maps = StoredEvaluation(place).maps
        return np.column_stack([maps["umap"], self.clusters[maps["rows"]]])


def chosen(row: str | None) -> Chosen:
    """The row of this key, or the last one.

    Raises:
        UserError: there is no such row, or a file of it is missing.
    """
    p = params.load()
    rows = {**p.clusterings, **p.deep_clusterings}
    key = row or list(rows)[-1]
    encoder = params.select(rows, key, "clusterings or deep_clusterings").encoder
    data = Path("data", p.dataset.name)
    x = np.load(existing(data / "x.npy"), mmap_mode="r", allow_pickle=False)
    named = samples.read(data / "samples.csv", len(x))
    stored = clusterings.open_clustering(Path("artifacts", p.dataset.name), key)
    same_rows(stored.folder, stored.clusters, x)
    return Chosen(p, key, encoder, key in p.deep_clusterings, x, stored.clusters, named)


def parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Parser of a command's arguments, whose usage says `python -m narrows <command>`.

    Args:
        module: `__name__` of the command's module.
        description: first thing that its help says, line breaks kept.
    """
    return argparse.ArgumentParser(
        prog=f"python -m narrows {module.rpartition('.')[2]}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def row_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """The same for a command that takes a clustering's row."""
    row_parser = parser(module, description)
    row_parser.add_argument("row", nargs="?", help="a clustering; the last one if not given")
    return row_parser


def check_port(port: int, help: str) -> None:
    """Raises `UserError`, with `help` in it, where something listens there already."""
    with socket.socket() as tried:
        if tried.connect_ex(("127.0.0.1", port)) == 0:
            raise UserError(f"port {port} is taken{help}")


def names(found: Chosen) -> Sequence[str]:
    """Of all rows; those of a dataset without names are numbered from 1."""
    if found.named is None:
        return [f"row {row + 1}" for row in range(len(found.x))]
    return found.named.paths
