"""Clusters and memberships as arrays, and what a clusterer has learned, on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from narrows.store.clusterings import PREFIX, State
from narrows.store.files import atomic_write


def hardened(soft: np.ndarray) -> np.ndarray:
    """Clusters (N,) of memberships (N, K): the largest; a row of zeros is noise, -1.

    >>> hardened(np.array([[0.2, 0.8], [0.0, 0.0]])).tolist()
    [1, -1]
    """
    return np.where(soft.any(axis=1), soft.argmax(axis=1), -1)


def one_hot(clusters: np.ndarray, n_clusters: int) -> np.ndarray:
    """Memberships (N, K) of clusters (N,): a single 1 a row, and none in a row of noise, -1.

    >>> one_hot(np.array([1, -1]), 2).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    return (clusters[:, None] == np.arange(n_clusters)).astype(np.float32)


def save_state(file: Path, state: State, **arrays: np.ndarray) -> None:
    """Writes arrays, and a clusterer's state beside them; whole or not at all."""
    named = {f"{PREFIX}{name}": array for name, array in state.items()}
    with atomic_write(file) as partial:
        np.savez(partial, allow_pickle=False, **arrays, **named)


def load_state(file: Path) -> tuple[State, dict[str, np.ndarray]]:
    """The state and the arrays that `save_state` wrote."""
    # numpy leaves a damaged file open that it has opened itself
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as saved:
        arrays = dict(saved)
    names = [name for name in arrays if name.startswith(PREFIX)]
    return {name.removeprefix(PREFIX): arrays.pop(name) for name in names}, arrays
