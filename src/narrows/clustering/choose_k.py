"""How many clusters there may be, found without a label: every k in one and the same space.

The space is a UMAP of an encoder's codes, because silhouettes of different spaces do not compare.
In it mixtures of Gaussians are fitted for each k, as `umap_gmm` does it. A k is good where its
clusters lie apart in the map, and where they cut few links of the codes themselves: a map shows
islands, and the silhouette likes the largest two of them too well; modularity rises with k for as
long as groups are apart, and likes too many. No two maps are the same, so two are searched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import sparse
from threadpoolctl import threadpool_limits

from narrows.clustering import metrics
from narrows.clustering.mixture import fit_mixture, most_likely
from narrows.clustering.neighbours import distinct, trainable
from narrows.clustering.shared_neighbours import links, modularity, rows_with_room
from narrows.clustering.umap import Map, fit_map
from narrows.rendering import progress
from narrows.store.choices import Recommendation

MAX_CODES = 2_500
"""Codes of a map, at most. Of more codes the same number of neighbours gives finer groups."""
N_STARTS = 2
"""Mixtures that are fitted for each k in each map, of whose scores the means are taken."""
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
N_MAPS = 2
"""Maps in which numbers of clusters are compared."""
Candidate = dict[str, Any]
"""A number of clusters and what was measured with it; None where a measure is not defined."""


class Measured(NamedTuple):
    """What a single map says of all numbers of clusters."""

    curve: list[Candidate]
    """Measures by k."""
    strength: float
    """How much clumpier than one cloud the codes are."""


def compare(
    codes: Float[np.ndarray, "N D"], largest: int, seed: int
) -> tuple[list[Candidate], Recommendation | None]:
    """Compares numbers of clusters from 2 to `largest` in two maps of at most 2,500 codes each.

    The result does not depend on the number of threads: sums are added up in one of them.

    Returns:
        The curve, and what it recommends; None where no number of clusters has a silhouette.

    Raises:
        UserError: a code is not finite, or there are fewer than two.
    """
    return together([measure(codes, largest, seed, i) for i in range(N_MAPS)])


def measure(codes: Float[np.ndarray, "N D"], largest: int, seed: int, i: int) -> Measured:
    """What the i-th map says of each number of clusters; all other arguments as in `compare`."""
    with threadpool_limits(1):
        parts = [trainable(codes[rows]) for rows in draws(len(codes), seed)]
        ks = numbers(min(largest, *(most_clusters(z) for z in parts)))
        if not ks:
            return Measured([], 0.0)
        z = parts[i]
        rows = rows_with_room(z)
        graph = links(z[rows])
        candidates = curve(places(z, seed + i), rows, graph, ks, seed)
        return Measured(candidates, strength(z[rows], graph, seed + i))


def together(maps: Sequence[Measured]) -> tuple[list[Candidate], Recommendation | None]:
    """The mean of what maps say, and what it recommends."""
    candidates = averaged([measured.curve for measured in maps])
    strengths = [measured.strength for measured in maps]
    return candidates, recommended(candidates, sum(strengths) / len(strengths))


def draws(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows, in ascending order, of the codes of two maps, with as few as can be in both.

    >>> [rows.tolist() for rows in draws(3, seed=0)]
    [[0, 1, 2], [0, 1, 2]]
    """
    order = np.random.default_rng(seed).permutation(n)[: 2 * MAX_CODES]
    return np.sort(order[:MAX_CODES]), np.sort(order[-MAX_CODES:])


def most_clusters(z: Float[np.ndarray, "N D"]) -> int:
    """Largest number of clusters that is compared of codes z: a third of them, and no more than
    differ; 1 where all are equal."""
    return min(len(distinct(z)[0]), max(2, len(z) // 3))


def places(z: Float[np.ndarray, "N D"], seed: int) -> np.ndarray:
    """Places (N, 10) of the codes z in their UMAP."""
    return fit_map(Map(), z, seed)[1]


def numbers(largest: int) -> list[int]:
    """Numbers of clusters that are compared: each to 15, then in steps of about 15 %.

    >>> numbers(30)[-7:], numbers(28)[-2:], numbers(3), numbers(1)
    ([14, 15, 17, 20, 23, 26, 30], [26, 28], [2, 3], [])
    """
    ks = list(range(2, min(largest, N_SINGLE) + 1))
    while ks and ks[-1] < largest:
        ks.append(min(ks[-1] + round(0.15 * ks[-1]), largest))
    return ks


def curve(
    z: Float[np.ndarray, "N P"],
    rows: np.ndarray,
    graph: sparse.csr_array,
    ks: Sequence[int],
    seed: int,
) -> list[Candidate]:
    """Measures of numbers of clusters in one map.

    `modularity` is that of the clusters in the graph of the codes, `silhouette` that in their map,
    both means over mixtures from two starts.

    Args:
        z: places of the codes in their map.
        rows: those (M,) that the graph is of.
        graph: weights (M, M) of the codes' links.
        ks: the numbers of clusters.
    """
    candidates = []
    for k in progress.counted("numbers of clusters", ks, len(ks)):
        every = [
            most_likely(fit_mixture(z, k, "full", 1, seed + start), z) for start in range(N_STARTS)
        ]
        inside = float(np.mean([modularity(graph, clusters[rows]) for clusters in every]))
        apart = _mean([metrics.silhouette(z, clusters, seed) for clusters in every])
        candidates.append({"n_clusters": k, "modularity": inside, "silhouette": apart})
    return candidates


def averaged(curves: Sequence[list[Candidate]]) -> list[Candidate]:
    """The mean of curves of the same numbers of clusters, and their `merit`, which the
    recommendation goes by."""
    candidates: list[Candidate] = [
        {
            "n_clusters": same[0]["n_clusters"],
            "modularity": _mean([candidate["modularity"] for candidate in same]),
            "silhouette": _mean([candidate["silhouette"] for candidate in same]),
        }
        for same in zip(*curves, strict=True)
    ]
    for candidate, merit in zip(candidates, merits(candidates), strict=True):
        candidate["merit"] = float(merit)
    return candidates


def _mean(values: list[float | None]) -> float | None:
    """Of those that are defined; None where none is."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


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
