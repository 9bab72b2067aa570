"""How many clusters there may be, found without a label: every k in one and the same space.

The space is a UMAP of an encoder's codes, because silhouettes of different spaces do not compare.
In it a mixture of Gaussians is fitted for each k, as `umap_gmm` does it.
"""

from itertools import combinations
from typing import Any

import numpy as np

from narrows.clustering import metrics
from narrows.clustering.mixture import bic, fit_mixture, most_likely
from narrows.clustering.neighbours import trainable
from narrows.clustering.umap import Map, fit_map
from narrows.rendering import progress

MAX_CODES = 10_000
"""Codes whose map is searched, at most."""
N_HALVES = 3
"""Random halves of the places whose clusterings are compared for each k."""
Candidate = dict[str, Any]
"""A number of clusters and what was measured with it; None where a measure is not defined."""


def places(codes: np.ndarray, seed: int) -> np.ndarray:
    """Places (n, 10) of at most 10,000 of the codes (N, D) in their UMAP."""
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.permutation(len(codes))[:MAX_CODES])
    return fit_map(Map(), trainable(codes[rows]), seed)[1]


def curve(z: np.ndarray, largest: int, seed: int) -> list[Candidate]:
    """Measures of every number of clusters k from 2 to `largest` of the places z (n, D).

    `silhouette` is that of the clusters of all places. `stability` is the mean adjusted Rand index
    between clusterings of all places whose mixtures were fitted on random halves (Ben-Hur et al.
    2002). `bic` is there to be looked at: clusters are no Gaussians, and it falls as long as k
    rises.
    """
    generator = np.random.default_rng(seed)
    halves = [generator.permutation(len(z))[: max(2, len(z) // 2)] for _ in range(N_HALVES)]
    candidates = []
    ks = range(2, min(largest, len(np.unique(z, axis=0))) + 1)
    for k in progress.counted("numbers of clusters", ks, len(ks)):
        state = fit_mixture(z, k, "full", 1, seed)
        by_half = [most_likely(fit_mixture(z[half], k, "full", 1, seed), z) for half in halves]
        agreement = [metrics.ari(*pair) or 0.0 for pair in combinations(by_half, 2)]
        candidates.append(
            {
                "n_clusters": k,
                "silhouette": metrics.silhouette(z, most_likely(state, z), seed),
                "stability": float(np.mean(agreement)),
                "bic": bic(state, z),
            }
        )
    return candidates


def recommended(candidates: list[Candidate]) -> int | None:
    """The k of the highest silhouette times stability: apart, and found again in other samples.

    None where no k has a silhouette. Of equals the smallest; what is below 0 counts as 0, so where
    nothing is good, too.

    >>> recommended([{"n_clusters": 2, "silhouette": 0.9, "stability": 0.5},
    ...              {"n_clusters": 3, "silhouette": 0.8, "stability": 1.0}])
    3
    """
    defined = [candidate for candidate in candidates if _has_silhouette(candidate)]
    best = max(defined, key=_merit, default=None)
    return None if best is None else int(best["n_clusters"])


def _has_silhouette(candidate: Candidate) -> bool:
    silhouette = candidate["silhouette"]
    return silhouette is not None


def _merit(candidate: Candidate) -> float:
    """Silhouette times stability, with 0 for what is below."""
    return max(0.0, candidate["silhouette"]) * max(0.0, candidate["stability"])
