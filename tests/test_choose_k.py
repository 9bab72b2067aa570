"""How many clusters there are, on planted ones."""

import numpy as np
import pytest

from narrows.clustering import choose_k


def planted(n_groups: int, n_each: int = 60) -> np.ndarray:
    """Round groups at the corners of a 3-d cube of side 20."""
    corners = np.array([[i & 1, i >> 1 & 1, i >> 2 & 1] for i in range(8)], float)[:n_groups]
    noise = np.random.default_rng(0).normal(size=(n_groups * n_each, 3))
    return 20 * corners.repeat(n_each, axis=0) + noise


@pytest.mark.parametrize("n_groups", [3, 5])
def test_recommends_what_was_planted(n_groups: int) -> None:
    rows = choose_k.curve(planted(n_groups), largest=8, seed=0)
    assert [row["n_clusters"] for row in rows] == list(range(2, 9))
    assert choose_k.recommended(rows) == n_groups
    best = rows[n_groups - 2]
    assert best["stability"] == pytest.approx(1.0)
    assert best["silhouette"] > 0.85
    assert best["bic"] < rows[0]["bic"]


def test_the_map_keeps_groups_apart() -> None:
    places = choose_k.places(planted(4).astype(np.float32), seed=0)
    assert places.shape == (240, 10)
    assert choose_k.recommended(choose_k.curve(places, largest=6, seed=0)) == 4


def test_no_more_clusters_than_codes_differ() -> None:
    z = np.array([[0.0], [5.0], [9.0]]).repeat(10, axis=0)
    assert [row["n_clusters"] for row in choose_k.curve(z, largest=20, seed=0)] == [2, 3]


def test_one_code_has_no_recommendation() -> None:
    rows = choose_k.curve(np.zeros((30, 2)), largest=20, seed=0)
    assert rows == []
    assert choose_k.recommended(rows) is None


@pytest.mark.parametrize(
    ("measures", "best"),
    [
        ([(0.3, 0.001), (-0.1, -0.02)], 2),  # two bad signs make no good one
        ([(-0.1, -0.02), (0.3, 0.001)], 3),
        ([(-0.1, 0.5), (-0.3, -0.5), (0.3, -0.1)], 2),  # nothing is good: the fewest
        ([(None, 1.0), (-0.1, 0.5)], 3),
        ([(None, 1.0), (None, 1.0)], None),
    ],
)
def test_what_is_below_zero_recommends_nothing(
    measures: list[tuple[float | None, float]], best: int | None
) -> None:
    rows = [
        {"n_clusters": k, "silhouette": silhouette, "stability": stability}
        for k, (silhouette, stability) in enumerate(measures, start=2)
    ]
    assert choose_k.recommended(rows) == best
