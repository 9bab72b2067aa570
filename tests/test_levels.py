"""Coarse groups of clusters, by hand and on planted ones."""

from typing import Any

import numpy as np
import pytest

from narrows.clustering.levels import coarse_groups, joined
from narrows.store.choices import ChosenK, Recommendation


def chosen(levels: tuple[int, ...] = (), is_clear: bool = True, modularity: float = 0.5) -> ChosenK:
    curve: list[dict[str, Any]] = [{"n_clusters": k, "modularity": modularity} for k in (2, 6)]
    return ChosenK(curve, Recommendation(6, 6, 6, levels, strength=0.5, is_clear=is_clear), taken=6)


def planted(places: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Forty codes around each place on a line, of deviation 1, and their clusters."""
    clusters = np.arange(40 * len(places)) % len(places)
    noise = np.random.default_rng(0).normal(size=(len(clusters), 3))
    return noise + np.array(places)[clusters][:, None] * [1.0, 0, 0], clusters


def test_those_are_joined_that_are_linked_by_more_than_chance() -> None:
    """Clusters 0 and 2 share .2 of all links, 1 and 3 share .1; degrees .3, .2, .3, .2.
    Measured by chance that is .1 / .09 and .05 / .04. Joined, both groups keep to themselves."""
    shares = np.zeros((4, 4))
    shares[[0, 2], [2, 0]], shares[[0, 2], [0, 2]] = 0.1, 0.2
    shares[[1, 3], [3, 1]], shares[[1, 3], [1, 3]] = 0.05, 0.15
    assert joined(shares).tolist() == [0, 1, 0, 1]
    assert joined(np.diag([0.5, 0.5])).tolist() == [0, 1], "what is not linked is not joined"


def test_halves_of_a_group_are_found_and_the_larger_group_is_the_first() -> None:
    """Three groups far apart: 0 is cut into three where nothing is, 1 in two, noise is in none."""
    codes, groups = planted([0, 40, 80])
    clusters = groups.copy()
    for group, parts in ((0, 3), (1, 2)):
        rows = np.flatnonzero(groups == group)
        clusters[rows] = 10 * (group + 1) + np.arange(len(rows)) % parts
    codes, clusters = codes[:-1], clusters[:-1]  # 40, 40 and 39
    clusters[clusters == 2] = np.where(np.arange(39) < 30, 2, -1)
    expected = {10: 0, 11: 0, 12: 0, 20: 1, 21: 1, 2: 2}
    assert coarse_groups(codes, clusters, chosen()) == expected
    assert coarse_groups(codes, clusters, None) == expected
    assert coarse_groups(codes, clusters, chosen(is_clear=False)) == {}


def test_a_number_that_choose_k_has_is_taken_where_it_cuts_as_few_links() -> None:
    """Six groups without a link between them, three here and three there: 2 have the modularity
    1 / 2 at most."""
    codes, clusters = planted([0, 12, 24, 100, 112, 124])
    assert coarse_groups(codes, clusters, chosen()) == {}
    halves = coarse_groups(codes, clusters, chosen(levels=(2,)))
    assert halves in ({c: c // 3 for c in range(6)}, {c: 1 - c // 3 for c in range(6)})
    assert coarse_groups(codes, clusters, chosen(levels=(2,), modularity=0.6)) == {}


@pytest.mark.parametrize("clusters", [np.zeros(40, int), np.full(40, -1), np.arange(40) % 2])
def test_too_few_clusters_have_no_level(clusters: np.ndarray) -> None:
    assert coarse_groups(planted([0])[0], clusters, None) == {}
