"""How many clusters there may be, found without a label: every k in one and the same space.

The space is a UMAP of an encoder's codes, because silhouettes of different spaces do not compare.
In it mixtures of Gaussians are fitted for each k, as `umap_gmm` does it. A k is good where its
clusters lie apart in the map, and where they cut few links of the codes themselves: a map shows
islands, and the silhouette likes the largest two of them too well; modularity rises with k for as
long as groups are apart, and likes too many.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import sparse
from threadpoolctl import threadpool_limits

from narrows.clustering import metrics
from narrows.clustering.mixture import fit_mixture, most_likely
from narrows.clustering.neighbours import distinct, trainable
from narrows.clustering.shared_neighbours import links, modularity, rows_with_room
from narrows.clustering.umap import Map, fit_map
from narrows.data import blocks
from narrows.rendering import progress
from narrows.store.choices import Recommendation

MAX_CODES = 10_000
"""Codes whose map is searched, at most."""
N_STARTS = 4
"""Mixtures that are fitted for each k, of whose scores the means are taken."""
N_SINGLE = 15
"""Up to this k every number is compared; from there on one in about seven."""
ABOUT_AS_WELL = 0.9
"""Share of the best merit from which a number of clusters does about as well."""
LEVEL = 0.75
"""Share of the best merit from which another peak is a level of its own."""
CLEAR_STRENGTH, CLEAR_SILHOUETTE = 0.2, 0.6
"""Groups are clear where one of them is reached. Clouds without any have strengths to .14, and
silhouettes to .5 in ten and more dimensions."""
CLOUD_KS = (2, 3, 5, 8, 12, 20)
N_CLOUDS = 2
CLOUD_BASIS = 2_000
"""Codes whose covariance a cloud has, at most."""
Candidate = dict[str, Any]
"""A number of clusters and what was measured with it; None where a measure is not defined."""


def compare(
    codes: Float[np.ndarray, "N D"], largest: int, seed: int
) -> tuple[list[Candidate], Recommendation | None]:
    """Compares the numbers of clusters from 2 to `largest` of at most 10,000 of the codes.

    The result does not depend on the number of threads: sums are added up in one of them.

    Returns:
        The curve, and what it recommends; None where no number of clusters has a silhouette.

    Raises:
        UserError: a code is not finite, or there are fewer than two.
    """
    with threadpool_limits(1):
        z = trainable(codes[blocks.subset(np.arange(len(codes)), MAX_CODES, seed)])
        rows = rows_with_room(z)
        graph = links(z[rows])
        candidates = curve(places(z, seed), rows, graph, largest, seed)
        clumped = strength(z[rows], graph, seed) if candidates else 0.0
    return candidates, recommended(candidates, clumped)


def places(z: Float[np.ndarray, "N D"], seed: int) -> np.ndarray:
    """Places (N, 10) of the codes z in their UMAP."""
    return fit_map(Map(), z, seed)[1]


def numbers(largest: int) -> list[int]:
    """Numbers of clusters that are compared: each to 15, then in steps of about 15 %.

    >>> numbers(30)[-7:], numbers(28)[-2:], numbers(3)
    ([14, 15, 17, 20, 23, 26, 30], [26, 28], [2, 3])
    """
    ks = [2]
    while ks[-1] < largest:
        step = 1 if ks[-1] < N_SINGLE else round(0.15 * ks[-1])
        ks.append(min(ks[-1] + step, largest))
    return ks


def curve(
    z: Float[np.ndarray, "N P"],
    rows: np.ndarray,
    graph: sparse.csr_array,
    largest: int,
    seed: int,
) -> list[Candidate]:
    """Measures of numbers of clusters from 2 to `largest`, at most a third of the places.

    `modularity` is that of the clusters in the graph of the codes, `silhouette` that in their map,
    both means over mixtures from four starts. `merit` is what the recommendation goes by.

    Args:
        z: places of the codes in their map.
        rows: those (M,) that the graph is of.
        graph: weights (M, M) of the codes' links.
    """
    n_places = len(distinct(z)[0])
    candidates = []
    ks = numbers(min(largest, n_places, max(2, len(z) // 3))) if n_places > 1 else []
    for k in progress.counted("numbers of clusters", ks, len(ks)):
        every = [
            most_likely(fit_mixture(z, k, "full", 1, seed + start), z) for start in range(N_STARTS)
        ]
        silhouettes = [metrics.silhouette(z, clusters, seed) for clusters in every]
        defined = [value for value in silhouettes if value is not None]
        inside = float(np.mean([modularity(graph, clusters[rows]) for clusters in every]))
        apart = float(np.mean(defined)) if defined else None
        candidates.append({"n_clusters": k, "modularity": inside, "silhouette": apart})
    for candidate, merit in zip(candidates, merits(candidates), strict=True):
        candidate["merit"] = float(merit)
    return candidates


def merits(candidates: list[Candidate]) -> Float[np.ndarray, " K"]:
    """Modularity times smoothed silhouette (K,), with 0 for what is below or not defined."""
    modularities = [max(0.0, candidate["modularity"]) for candidate in candidates]
    silhouettes = [max(0.0, candidate["silhouette"] or 0.0) for candidate in candidates]
    return np.array(modularities) * smoothed(np.array(silhouettes))


def smoothed(values: Float[np.ndarray, " K"]) -> Float[np.ndarray, " K"]:
    """Each value (K,) and its neighbours' mean in equal parts; an end is its own neighbour.

    >>> smoothed(np.array([0.0, 4.0, 8.0, 0.0])).tolist()
    [1.0, 4.0, 5.0, 2.0]
    """
    before, after = np.r_[values[:1], values[:-1]], np.r_[values[1:], values[-1:]]
    return before / 4 + values / 2 + after / 4


def strength(z: Float[np.ndarray, "N D"], graph: sparse.csr_array, seed: int) -> float:
    """How much clumpier codes z are than one cloud, a Gaussian of the same covariance; at most 1.

        (Q - Q0) / (1 - Q0)

    Q is the highest modularity that K-means reaches with 2 to 20 clusters of the codes, Q0 the
    mean of the highest that it reaches in two clouds of as many points.

    Args:
        graph: weights (N, N) of the codes' links.
    """
    generator = np.random.default_rng(seed)
    centred = z - z.mean(axis=0, dtype=np.float64).astype(z.dtype)
    basis = centred[:: -(-len(z) // CLOUD_BASIS)]  # (B, D)
    clouds = []
    for _ in range(N_CLOUDS):
        # sums of codes with normal weights have the covariance of the codes, whatever D is
        weights = generator.standard_normal((len(z), len(basis)), dtype=np.float32)
        cloud = weights @ basis / np.sqrt(len(basis), dtype=z.dtype)
        clouds.append(_highest_modularity(cloud, links(cloud), seed))
    chance = float(np.mean(clouds))
    return (_highest_modularity(z, graph, seed) - chance) / (1 - chance)


def _highest_modularity(z: np.ndarray, graph: sparse.csr_array, seed: int) -> float:
    """Of the clusters of K-means in the codes z (N, D); 0 where there are too few codes."""
    from sklearn.cluster import KMeans

    most = min(len(distinct(z)[0]), len(z) // 3)
    ks = [k for k in CLOUD_KS if k <= most]
    fitted = (KMeans(k, n_init=1, random_state=seed).fit(z) for k in ks)
    return max((modularity(graph, model.labels_) for model in fitted), default=0.0)


def recommended(candidates: list[Candidate], strength: float) -> Recommendation | None:
    """The k of the highest merit, those around it that do about as well, and other levels.

    None where no k has a silhouette. Of equals the smallest.

    >>> rows = [(2, 0.75), (3, 0.5), (4, 0.75), (5, 1.0), (6, 0.95), (7, 0.5)]
    >>> fields = {"modularity": 1.0, "silhouette": 0.7}
    >>> best = recommended([{"n_clusters": k, "merit": m, **fields} for k, m in rows], 0.3)
    >>> best.n_clusters, best.lowest, best.highest, best.levels, best.is_clear
    (5, 5, 6, (2,), True)
    """
    silhouettes = [candidate["silhouette"] for candidate in candidates]
    defined = [value for value in silhouettes if value is not None]
    if not defined:
        return None
    ks = [int(candidate["n_clusters"]) for candidate in candidates]
    merit = [candidate["merit"] for candidate in candidates]
    best = lowest = highest = int(np.argmax(merit))
    enough = ABOUT_AS_WELL * merit[best]
    while lowest > 0 and merit[lowest - 1] >= enough:
        lowest -= 1
    while highest < len(ks) - 1 and merit[highest + 1] >= enough:
        highest += 1
    is_high = [m >= LEVEL * merit[best] for m in merit]
    peaks = [i for i in range(len(ks)) if is_high[i] and _is_peak(merit, i)]
    return Recommendation(
        n_clusters=ks[best],
        lowest=ks[lowest],
        highest=ks[highest],
        levels=tuple(ks[i] for i in peaks if not lowest <= i <= highest),
        strength=strength,
        is_clear=strength >= CLEAR_STRENGTH or max(defined) >= CLEAR_SILHOUETTE,
    )


def _is_peak(values: list[float], i: int) -> bool:
    """Whether a value is above the one before it, and not below the one after."""
    return (i == 0 or values[i] > values[i - 1]) and (
        i == len(values) - 1 or values[i] >= values[i + 1]
    )
