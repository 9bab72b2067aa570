"""artifacts/<dataset>/evaluations: what stage `evaluate` leaves of encoders, and of the codes that
deep clusterings have refined."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from narrows.store.reading import read_arrays, read_json
from narrows.store.rows import StoredRow


@dataclass(frozen=True)
class StoredEvaluation(StoredRow):
    """The files of one evaluation; raises as encoders do."""

    @cached_property
    def scores(self) -> dict[str, Any]:
        """Of an encoder: "code", "robustness" by corruption, "variational" or None."""
        scores: dict[str, Any] = read_json(self.folder / "scores.json")
        return scores

    @cached_property
    def maps(self) -> dict[str, np.ndarray]:
        """rows (n,) of x.npy, and two planes of their codes, pca and umap (n, 2)."""
        return read_arrays(self.folder / "maps.npz")

    @cached_property
    def pictures(self) -> dict[str, np.ndarray]:
        """Of an encoder: pictures in [0, 1] by name; which there are depends on the encoder."""
        return read_arrays(self.folder / "pictures.npz")


def encoder_folder(artifacts: Path, key: str) -> Path:
    """Where the evaluation of an encoder lies."""
    return artifacts / "evaluations/encoders" / key


def refined_folder(artifacts: Path, key: str) -> Path:
    """Where the map of a deep clustering's codes lies."""
    return artifacts / "evaluations/refined" / key


def write_maps(place: Path, maps: Mapping[str, np.ndarray]) -> None:
    """Writes rows, pca and umap."""
    np.savez(place / "maps.npz", allow_pickle=False, **maps)


def write_scores(
    place: Path, scores: Mapping[str, Any], pictures: Mapping[str, np.ndarray]
) -> None:
    """Writes what was measured and drawn of an encoder."""
    (place / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")
    np.savez_compressed(place / "pictures.npz", allow_pickle=False, **pictures)
