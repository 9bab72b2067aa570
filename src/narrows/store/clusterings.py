"""artifacts/<dataset>/clusterings/<key> and deep_clusterings/<key>: what a clustering leaves.

The same row from another seed leaves the same in artifacts/<dataset>/seeds/<seed>/<key>.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.store import encoders
from narrows.store.encoders import History, StoredEncoder
from narrows.store.reading import (
    existing,
    read_array,
    read_arrays,
    read_columns,
    read_json,
    read_weights,
)
from narrows.store.rows import StoredRow

if TYPE_CHECKING:
    from torch import Tensor

State = dict[str, np.ndarray]
"""What a clusterer has learned, by name: all that it needs to predict."""
PREFIX = "state_"
"""Begins the names of a clusterer's arrays in clusters.npz, beside those of all clusterings."""


@dataclass(frozen=True)
class StoredClustering(StoredRow):
    """The files of one clustering, each read when it is asked for; raises as encoders do."""

    @cached_property
    def info(self) -> dict[str, Any]:
        """row, encoder, clusterer, n_clusters, seed, seconds; of a deep clustering fell_back, too:
        whether its clusters are those of the start."""
        info: dict[str, Any] = read_json(self.folder / "cluster.json")
        return info

    @property
    def is_deep(self) -> bool:
        """Whether its encoder was refined with it."""
        return "method" in self.info["row"]

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        return read_arrays(self.folder / "clusters.npz")

    @property
    def clusters(self) -> np.ndarray:
        """Clusters (N,), int32; -1 is noise."""
        return self._arrays["clusters"]

    @property
    def soft(self) -> np.ndarray | None:
        """Memberships (N, K) of a deep clustering; None for others."""
        return self._arrays.get("soft")

    @property
    def assignments(self) -> np.ndarray | None:
        """Clusters (T, N) at every update of a deep clustering; None for others."""
        return self._arrays.get("assignments")

    @property
    def state(self) -> State:
        """What its clusterer has learned, arrays by name."""
        named = self._arrays.items()
        return {k.removeprefix(PREFIX): array for k, array in named if k.startswith(PREFIX)}

    @cached_property
    def refined_codes(self) -> np.ndarray:
        """Codes (N, D) of a deep clustering's own encoder, memory-mapped."""
        return read_array(self.folder / "codes.npy")

    @cached_property
    def history(self) -> dict[str, np.ndarray] | None:
        """Columns of history.csv, a value an update of a deep clustering; None for others."""
        return read_columns(self.folder / "history.csv") if self.is_deep else None

    @property
    def learned(self) -> dict[str, Any]:
        """Of a deep clustering: "model", the refined encoder's weights, and "parts", what the
        method has trained beside it."""
        return read_weights(self.folder / "weights.pt")

    @property
    def encoder(self) -> StoredEncoder:
        """Its encoder as it was before any refinement."""
        artifacts = self.folder.parents[1]
        return StoredEncoder(encoders.folder(artifacts, self.info["encoder"]))

    @property
    def codes(self) -> np.ndarray:
        """Codes (N, D) that were clustered, memory-mapped."""
        return self.refined_codes if self.is_deep else self.encoder.codes

    @property
    def served_files(self) -> list[Path]:
        """Files that are needed to answer for new samples, its encoder's included."""
        names = ("clusters.npz", "weights.pt", "codes.npy", "cluster.json")
        own = [file for name in names if (file := self.folder / name).exists()]
        return self.encoder.served_files + own


def folder(artifacts: Path, key: str) -> Path:
    """Where a row of clusterings or deep_clusterings lies; keys of the two never meet."""
    deep = artifacts / "deep_clusterings" / key
    return deep if deep.exists() else artifacts / "clusterings" / key


def seed_folder(artifacts: Path, seed: int, key: str) -> Path:
    """Where the same row from another seed lies."""
    return artifacts / "seeds" / str(seed) / key


def clusters_file(place: Path) -> Path:
    """The clusters of a row, and what its clusterer has learned."""
    return place / "clusters.npz"


def codes_file(place: Path) -> Path:
    """The codes that a deep clustering has refined."""
    return place / "codes.npy"


def open_clustering(artifacts: Path, key: str, is_deep: bool = False) -> StoredClustering:
    """The clustering of a row.

    Args:
        is_deep: whether params.yaml has it in deep_clusterings, whose stage is named if it is not
            there.

    Raises:
        UserError: it is not there.
    """
    place = folder(artifacts, key)
    missing = artifacts / "deep_clusterings" / key if is_deep else place
    existing((place if place.exists() else missing) / "cluster.json")
    return StoredClustering(place)


def write(
    place: Path, info: Mapping[str, Any], state: State, clusters: np.ndarray, **arrays: np.ndarray
) -> None:
    """Writes what every clustering leaves into an empty folder.

    Args:
        state: what its clusterer has learned.
        clusters: (N,), -1 is noise.
        arrays: soft (N, K) and assignments (T, N) of a deep clustering.
    """
    named = {f"{PREFIX}{name}": array for name, array in state.items()}
    np.savez(place / "clusters.npz", allow_pickle=False, clusters=clusters, **arrays, **named)
    (place / "cluster.json").write_text(json.dumps(info, indent=2) + "\n")


def write_refined(
    place: Path,
    codes: np.ndarray,
    model: Mapping[str, Tensor],
    parts: Mapping[str, Tensor],
    history: History,
) -> None:
    """Writes what a deep clustering leaves besides: its codes (N, D), the refined encoder's weights
    and the method's parts by name, and a line an update."""
    import torch

    np.save(place / "codes.npy", codes)
    torch.save({"model": dict(model), "parts": dict(parts)}, place / "weights.pt")
    encoders.write_history(place / "history.csv", history)
