"""Coarse groups of the clusters that a clustering has, where there are such groups."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer

from narrows.clustering.centres import means
from narrows.clustering.choose_k import MAX_CODES
from narrows.clustering.shared_neighbours import link_shares, links, modularity, rows_with_room
from narrows.data import blocks
from narrows.store.choices import ChosenK

COARSE = 2 / 3
"""Coarse are groups of which there are at most this share of the number of clusters."""
ABOUT_AS_WELL = 0.9
"""Share of the modularity of as many fitted clusters that coarse groups need."""


def coarse_groups(
    codes: Float[np.ndarray, "N D"], clusters: Integer[np.ndarray, " N"], chosen: ChosenK | None
) -> dict[int, int]:
    """The coarse group of each cluster, the largest group is 0; empty where no level is good.

    Clusters are joined for as long as two of them are linked, in the graph of shared neighbours of
    at most 2,500 codes, by more than chance would link them. Where that hardly joins any, a coarser
    number of clusters that `choose_k` found is taken: their means are joined by the means of their
    distances (average linkage), and the groups have to cut about as few links as that many clusters
    did which were fitted. Without clear groups there are no coarse ones.

    Args:
        codes: what was clustered; may be memory-mapped.
        clusters: -1 is noise, which is in no group.
        chosen: what `choose_k` found; None where it did not run.
    """
    best = chosen.recommended if chosen else None
    ids, numbered = np.unique(clusters, return_inverse=True)
    numbered = numbered - int((ids < 0).sum())  # noise is -1 again
    ids = ids[ids >= 0]
    most = int(COARSE * len(ids))
    if most < 2 or (best is not None and not best.is_clear):
        return {}
    rows = blocks.subset(np.flatnonzero(numbered >= 0), MAX_CODES, seed=0)
    z = codes[rows]
    rows_with_links = rows_with_room(z)
    graph, own = links(z[rows_with_links]), numbered[rows][rows_with_links]
    groups = joined(link_shares(graph, own))
    if len(groups) == len(ids) and 2 <= len(np.unique(groups)) <= most:
        return _ordered(ids, groups, numbered)
    if chosen is None or best is None:
        return {}
    reached = {row["n_clusters"]: row["modularity"] for row in chosen.curve}
    for n_groups in sorted({*best.levels, best.n_clusters}, reverse=True):
        if 2 <= n_groups <= most:
            groups = _nearest_joined(means(z, numbered[rows], len(ids)), n_groups)
            if modularity(graph, groups[own]) >= ABOUT_AS_WELL * reached[n_groups]:
                return _ordered(ids, groups, numbered)
    return {}


def joined(shares: Float[np.ndarray, "K K"]) -> Integer[np.ndarray, " K"]:
    """Groups of clusters of which the two that are linked most, measured by chance, are joined for
    as long as chance would link them less: until no more raises the modularity.

        e_cd / (a_c a_d) > 1,  a_c = sum_d e_cd

    That is the agglomeration of Newman 2004 (arXiv:cond-mat/0309508), whose step raises the
    modularity by 2 (e_cd - a_c a_d); here by the ratio, in which large clusters are no better.

    Args:
        shares: share of all weight that links two clusters, `link_shares`.

    Example:
        Half of the links of each of the first two go to the other, a_c a_d is 1 / 9:

        >>> joined(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 2.0]]) / 6).tolist()
        [0, 0, 1]
    """
    groups = np.arange(len(shares))
    while True:
        degrees = shares.sum(axis=1)
        expected = np.outer(degrees, degrees)
        ratios = shares / np.where(expected > 0, expected, 1)
        np.fill_diagonal(ratios, 0)
        first, second = sorted(map(int, np.unravel_index(ratios.argmax(), ratios.shape)))
        if ratios[first, second] <= 1:
            return groups
        groups[groups == second] = first
        groups[groups > second] -= 1
        shares = shares.copy()
        shares[first] += shares[second]
        shares[:, first] += shares[:, second]
        shares = np.delete(np.delete(shares, second, axis=0), second, axis=1)


def letter(group: int) -> str:
    """What a coarse group is called, so that nobody takes it for a cluster.

    >>> letter(0), letter(25), letter(26)
    ('A', 'Z', 'AA')
    """
    before, place = divmod(group, 26)
    return (letter(before - 1) if before else "") + chr(ord("A") + place)


def _nearest_joined(centres: np.ndarray, n_groups: int) -> np.ndarray:
    """Groups (K,) of clusters by average linkage of their means (K, D)."""
    from scipy.cluster.hierarchy import fcluster, linkage

    groups: np.ndarray = fcluster(linkage(centres, "average"), n_groups, "maxclust") - 1
    return groups


def _ordered(ids: np.ndarray, groups: np.ndarray, numbered: np.ndarray) -> dict[int, int]:
    """Group by cluster, numbered by how many samples they have."""
    sizes = np.bincount(groups[numbered[numbered >= 0]], minlength=groups.max() + 1)
    ranks = np.argsort(np.argsort(-sizes, kind="stable"), kind="stable")
    return {int(c): int(ranks[group]) for c, group in zip(ids, groups, strict=True)}
