"""Codes as clusters: a clusterer learns from some of them and gives all a cluster."""

from __future__ import annotations

import numpy as np

from narrows.clustering.clusterers._base import Clusterer
from narrows.clustering.neighbours import finite
from narrows.clustering.state import State
from narrows.config.plugins import Plugin
from narrows.data import blocks
from narrows.errors import UserError
from narrows.rendering import progress

TOGETHER = 2**17
"""Codes that are given their clusters at once: places in a map need 1.4 KB of memory each."""


def fit_predict(
    clusterer: Plugin, codes: np.ndarray, fitted: np.ndarray, n_clusters: int, seed: int
) -> tuple[State, np.ndarray]:
    """Fits a clusterer.

    Args:
        clusterer: of the family `clusterers`.
        codes: codes (N, D) of all samples.
        fitted: mask (N,) of those that are learned from.
        n_clusters: number that a method by density ignores.
        seed: of everything random.

    Returns:
        What it has learned, and clusters (N,) of all codes; -1 is noise.

    Raises:
        UserError: there are fewer codes to learn from than clusters, fewer than two, or one is not
            finite.
    """
    method: Clusterer = clusterer.module
    codes = np.asarray(codes)  # may be memory-mapped
    learned_from = codes if fitted.all() else codes[fitted]
    if n_clusters > len(learned_from):
        raise UserError(
            f"n_clusters is {n_clusters}, but there are {len(learned_from)} rows to learn from"
        )
    with progress.part(clusterer.name):
        state = method.fit(clusterer.config, learned_from, n_clusters, seed)
        return state, predict(method, state, codes)


def predict(method: Clusterer, state: State, codes: np.ndarray) -> np.ndarray:
    """Clusters (N,) of codes (N, D), of some at a time where they are many."""
    if len(codes) <= TOGETHER:
        return method.predict(state, codes)
    parts = blocks.blocks(finite(codes), TOGETHER)
    return np.concatenate([method.predict(state, part) for part in parts])
