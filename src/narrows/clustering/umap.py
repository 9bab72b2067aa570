"""UMAP (McInnes et al. 2018, arXiv:1802.03426) of codes, in which new codes find a place, too."""

from __future__ import annotations

import contextlib
import functools
import warnings
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from narrows.clustering.neighbours import distinct, finite, nearest_known
from narrows.clustering.state import State
from narrows.config.plugins import config
from narrows.rendering import progress


@config
class Map:
    n_components: PositiveInt = 10
    """Axes of the map."""
    n_neighbors: Annotated[int, Field(ge=2)] = 20
    """Neighbours that shape the map, and of which a new code takes its place."""
    min_dist: Annotated[float, Field(ge=0)] = 0.0
    """How close codes may lie in the map; 0 packs clusters most densely."""
    n_epochs: PositiveInt | None = None
    """Passes that lay the map out; null takes 500 for fewer than 10,000 codes and 200 for more."""


def fit_map(cfg: Map, z: np.ndarray, seed: int) -> tuple[State, np.ndarray]:
    """Lays out a map of the codes z (N, D).

    UMAP sees each distinct code once. Fewer than 2 (n_components + 1) + 1 of them have no spectral
    start and are their own map.

    Returns:
        What `place` needs, and the places (N, n_components) of z.
    """
    rows, sets = distinct(z)
    codes = places = z[rows]
    if len(rows) > 2 * (cfg.n_components + 1):
        from umap import UMAP

        _settle_numba()
        n_neighbors = min(cfg.n_neighbors, len(rows) - 1)
        # exact, and twice as fast as UMAP's own search, which has to be compiled in every process
        distances, near = nearest_known(codes, codes, n_neighbors)
        umap = UMAP(
            n_neighbors,
            cfg.n_components,
            min_dist=cfg.min_dist,
            n_epochs=cfg.n_epochs,
            precomputed_knn=(near, distances),
            random_state=seed,
            n_jobs=1,
        )
        with warnings.catch_warnings():
            # UMAP's own transform misses an index; `place` does without
            warnings.filterwarnings("ignore", "precomputed_knn", UserWarning)
            # both are about the start, which for far groups is rough, and from which UMAP moves
            warnings.filterwarnings("ignore", "Spectral initialisation failed", UserWarning)
            warnings.filterwarnings("ignore", "Graph is not fully connected", UserWarning)
            with progress.part("UMAP"):
                places = umap.fit_transform(codes)
    state = {"codes": codes, "places": places, "n_neighbors": np.array(cfg.n_neighbors)}
    return state, places[sets]


def place(state: State, z: np.ndarray) -> np.ndarray:
    """Places (N, n_components) of codes z (N, D) in a map of `fit_map`; its own codes keep theirs.

    Others come to the mean of their nearest neighbours' places, weighted by 1 / distance
    (Shepard 1968). UMAP's own transform starts from such a mean, too.
    """
    codes, places = state["codes"], state["places"]
    n = min(int(state["n_neighbors"]), len(codes))
    distances, near = nearest_known(codes, finite(z), n)  # (N, n)
    weights = 1 / np.maximum(distances, np.finfo(np.float32).tiny)
    weights /= weights.sum(axis=1, keepdims=True)
    means = np.einsum("nk,nkd->nd", weights, places[near])
    is_known = distances[:, :1] == 0
    return np.where(is_known, places[near[:, 0]], means).astype(places.dtype)


@functools.cache
def _settle_numba() -> None:
    """Makes numba write what it compiles for UMAP to disk, and start threads of its own kind.

    Compiling takes six of the twelve seconds of 5,000 codes. numba's OpenMP threads would give
    torch all cores again.
    """
    import numba
    import umap
    from numba.core.registry import CPUDispatcher

    numba.config.THREADING_LAYER = "workqueue"  # type: ignore[attr-defined]
    for module in (umap.umap_, umap.layouts):
        for function in vars(module).values():
            if isinstance(function, CPUDispatcher):
                with contextlib.suppress(RuntimeError):  # there is no folder that can be written
                    function.enable_caching()
