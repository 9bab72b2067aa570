"""What several clusterers share: codes, their neighbours, mixtures, density and the map."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, PositiveInt

from narrows.config.plugins import config
from narrows.data.blocks import drawn
from narrows.errors import UserError

State = Mapping[str, np.ndarray]
MAX_FITTED = 100_000  # codes that a method with neighbours or a mixture learns from
REGULARISATION = 1e-6  # of the mean variance; sklearn's 1e-6 is absolute, codes have any scale


def finite(z: np.ndarray) -> np.ndarray:
    """The codes (N, D), with zeros of one sign, so that equal codes have equal bytes."""
    bad = int((~np.isfinite(z)).any(axis=1).sum())
    if bad:
        raise UserError(
            f"clusterings: {bad:,} of {len(z):,} codes have a value that is not finite; "
            "the encoder has to be trained again, with a lower learning rate for instance"
        )
    return np.ascontiguousarray(z) + 0


def training(z: np.ndarray) -> np.ndarray:
    """The same for codes to fit, of which there have to be two."""
    if len(z) < 2:
        raise UserError(f"clusterings: a clusterer needs at least 2 train rows, found {len(z)}")
    return finite(z)


def few(z: np.ndarray, seed: int) -> np.ndarray:
    """At most 100,000 of the codes to fit, drawn by the seed; `predict` gives the others theirs."""
    return training(z[drawn(np.arange(len(z)), MAX_FITTED, seed)])


def distinct(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (M,) of the first of each set of equal codes, and the set (N,) of every code.

    >>> rows, sets = distinct(np.array([[5.0], [7.0], [5.0]]))
    >>> rows.tolist(), sets.tolist()
    ([0, 1], [0, 1, 0])
    """
    seen: dict[bytes, int] = {}
    sets = np.array([seen.setdefault(row.tobytes(), len(seen)) for row in z])
    return np.unique(sets, return_index=True)[1], sets


def at_most(n_clusters: int, z: np.ndarray) -> int:
    """`n_clusters`, or the number of distinct codes where that is lower."""
    return min(n_clusters, len(distinct(z)[0]))


def nearest_centre(state: State, z: np.ndarray) -> np.ndarray:
    """Index (N,) of the nearest of `centres` for each code of z (N, D)."""
    from sklearn.metrics import pairwise_distances_argmin

    return pairwise_distances_argmin(finite(z), state["centres"])


def around_centres(state: State, z: np.ndarray) -> np.ndarray:
    """Memberships (N, K) of codes (N, D), by how near each of `centres` (K, D) is.

    The Student-t kernel with one degree of freedom, equation 1 of Xie, Girshick & Farhadi 2016
    (arXiv:1511.06335): the nearest centre has the largest share.

    Example:
        A code on one centre and 2 from the other: shares as 1 to 1/5.

        >>> around_centres({"centres": np.array([[0.0], [2.0]])}, np.array([[0.0]])).round(4)
        array([[0.8333, 0.1667]])
    """
    from sklearn.metrics import pairwise_distances

    weights = 1 / (1 + pairwise_distances(finite(z), state["centres"], "sqeuclidean"))
    shares: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return shares


def nearest(codes: np.ndarray, z: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances and indices (N, n) of the nearest of `codes` (M, D), the nearest first.

    A code that is among `codes` has itself first, at 0: in many dimensions sklearn subtracts
    squared norms, and the rounding may put another one there.
    """
    from sklearn.neighbors import NearestNeighbors

    z = z.astype(codes.dtype, copy=False)
    distances, indices = NearestNeighbors(n_neighbors=n).fit(codes).kneighbors(z)
    places = {row.tobytes(): place for place, row in enumerate(codes)}
    for i, row in enumerate(z):
        if (own := places.get(row.tobytes())) is not None:
            distances[i, 0], indices[i, 0] = 0, own
    return distances, indices


def remembered(z: np.ndarray, clusters: np.ndarray) -> dict[str, np.ndarray]:
    """Distinct codes (M, D) and their clusters (M,); equal codes take that of their first."""
    rows, _ = distinct(z)
    return {"codes": z[rows], "clusters": clusters[rows]}


def of_nearest(state: State, z: np.ndarray) -> np.ndarray:
    """Cluster (N,) of the nearest remembered code."""
    return state["clusters"][nearest(state["codes"], finite(z), 1)[1][:, 0]]


def mixture(
    z: np.ndarray,
    n_clusters: int,
    covariance: Literal["full", "tied", "diag"],
    n_init: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """A Gaussian mixture by EM (Dempster, Laird & Rubin 1977) from k-means starts."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    z = z.astype(np.float64)  # covariances of float32 codes are not always positive definite
    model = GaussianMixture(
        at_most(n_clusters, z),
        covariance_type=covariance,
        n_init=n_init,
        reg_covar=REGULARISATION * (z.var(axis=0).mean() or 1.0),
        random_state=seed,
    )
    with warnings.catch_warnings():
        # EM that stops after 100 steps is a mixture, too: the likeliest so far
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(z)
    return {
        "weights": model.weights_,
        "means": model.means_,
        "precisions_cholesky": model.precisions_cholesky_,
        "covariance": np.array(covariance),
    }


def most_likely(state: State, z: np.ndarray) -> np.ndarray:
    """Component (N,) of the mixture with the highest posterior."""
    clusters: np.ndarray = _model(state).predict(finite(z).astype(np.float64))
    return clusters


def posteriors(state: State, z: np.ndarray) -> np.ndarray:
    """Memberships (N, K) in the components of the mixture."""
    shares: np.ndarray = _model(state).predict_proba(finite(z).astype(np.float64))
    return shares


def bic(state: State, z: np.ndarray) -> float:
    """Bayesian information criterion of the mixture (Schwarz 1978), per code; lower is better."""
    return float(_model(state).bic(finite(z).astype(np.float64))) / len(z)


def _model(state: State) -> Any:
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(len(state["weights"]), covariance_type=str(state["covariance"]))
    model.weights_, model.means_ = state["weights"], state["means"]
    model.precisions_cholesky_ = state["precisions_cholesky"]
    return model


def dense(z: np.ndarray, min_cluster_size: int, min_samples: int) -> np.ndarray:
    """Clusters (N,) of HDBSCAN, -1 is noise."""
    from sklearn.cluster import HDBSCAN

    if min_cluster_size > len(z) or len(distinct(z)[0]) == 1:
        return np.full(len(z), -1)  # nothing is large enough, or nothing is denser than the rest
    n = min(min_samples, len(z))
    return HDBSCAN(min_cluster_size=min_cluster_size, min_samples=n, copy=True).fit(z).labels_


@config
class Map:
    n_components: PositiveInt = 10
    """Axes of the map."""
    n_neighbors: Annotated[int, Field(ge=2)] = 20
    """Neighbours that shape the map, and of which a new code takes its place."""
    min_dist: Annotated[float, Field(ge=0)] = 0.0
    """How close codes may lie in the map; 0 packs clusters most densely."""
    n_epochs: PositiveInt | None = None
    """Passes that lay it out; null takes 500 of fewer than 10,000 codes and 200 of more."""


def draw(cfg: Map, z: np.ndarray, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """UMAP (McInnes et al. 2018, arXiv:1802.03426) of the codes z (N, D).

    It sees each distinct code once. Fewer than 2 (n_components + 1) + 1 of them have no spectral
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
        distances, near = nearest(codes, codes, n_neighbors)
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
            places = umap.fit_transform(codes)
    state = {"codes": codes, "places": places, "n_neighbors": np.array(cfg.n_neighbors)}
    return state, places[sets]


@functools.cache
def _settle_numba() -> None:
    """What it compiles for UMAP is kept on disk: six of the twelve seconds of 5,000 codes. And it
    starts threads of its own kind, as its OpenMP ones would give torch all cores again."""
    import numba
    import umap
    from numba.core.registry import CPUDispatcher

    numba.config.THREADING_LAYER = "workqueue"  # type: ignore[attr-defined]
    for module in (umap.umap_, umap.layouts):
        for function in vars(module).values():
            if isinstance(function, CPUDispatcher):
                with contextlib.suppress(RuntimeError):  # there is no folder that can be written
                    function.enable_caching()


def place(state: State, z: np.ndarray) -> np.ndarray:
    """Places (N, n_components) of codes in a map that `draw` made; its own codes keep theirs.

    Others come to the mean of their nearest neighbours' places, weighted by 1 / distance
    (Shepard 1968). UMAP's own transform starts from such a mean, too.
    """
    codes, places = state["codes"], state["places"]
    n = min(int(state["n_neighbors"]), len(codes))
    distances, near = nearest(codes, finite(z), n)
    weights = 1 / np.maximum(distances, np.finfo(np.float32).tiny)
    weights /= weights.sum(axis=1, keepdims=True)
    means = np.einsum("nk,nkd->nd", weights, places[near])
    known = distances[:, :1] == 0
    return np.where(known, places[near[:, 0]], means).astype(places.dtype)
