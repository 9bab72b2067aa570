"""Codes that are looked at a part at a time: the parts say what the whole says."""

import numpy as np
import pytest

from helpers.plugins import plugin
from narrows.clustering import codes, neighbours
from narrows.errors import UserError
from narrows.report import clustering_figures

N, SPLIT = 900, 256


def blobs(n: int = N) -> np.ndarray:
    g = np.random.default_rng(0)
    centres = g.normal(size=(3, 5)) * 6
    return (centres[g.integers(3, size=n)] + g.normal(size=(n, 5))).astype(np.float32)


@pytest.mark.parametrize("name", ["kmeans", "gmm", "umap_gmm"])
def test_clusters_of_parts_are_those_of_all(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    z, fitted = blobs(), np.arange(N) % 3 > 0
    z[5] = z[800]  # in two parts
    clusterer = plugin("clusterers", name)
    _, together = codes.fit_predict(clusterer, z, fitted, 3, seed=0)
    monkeypatch.setattr(codes, "TOGETHER", SPLIT)
    _, apart = codes.fit_predict(clusterer, z, fitted, 3, seed=0)
    np.testing.assert_array_equal(together, apart)
    assert len(np.unique(apart)) == 3


def test_codes_that_are_not_finite_are_counted_over_all_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    z = blobs()
    z[[3, 700, 800], 1] = np.nan
    monkeypatch.setattr(codes, "TOGETHER", SPLIT)
    monkeypatch.setattr(neighbours, "BLOCK", SPLIT)
    fitted = np.isfinite(z).all(axis=1)
    with pytest.raises(UserError, match="3 of 900 codes"):
        codes.fit_predict(plugin("clusterers", "kmeans"), z, fitted, 3, seed=0)


def test_finite_codes_are_not_copied_unless_a_zero_is_negative() -> None:
    z = blobs()
    assert neighbours.finite(z) is z
    z[700, 2] = -0.0
    own = neighbours.finite(z)
    assert own is not z
    assert not np.signbit(own[700, 2])
    np.testing.assert_array_equal(own, z)


@pytest.mark.parametrize(("n_distinct", "expected"), [(1, 1), (4, 4), (5, 5), (6, 5)])
def test_distinct_codes_are_counted_as_far_as_clusters_go(n_distinct: int, expected: int) -> None:
    z = np.zeros((1000, 2), np.float32)
    z[-n_distinct:, 0] = np.arange(n_distinct)  # the last ones alone differ
    assert neighbours.at_most(5, z) == expected


def test_examples_of_a_sheet_do_not_depend_on_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    z, clusters = blobs(), np.arange(N) % 3
    together = clustering_figures.choose_examples(z, clusters, 4)
    monkeypatch.setattr(clustering_figures, "N_TOGETHER", 7)
    apart = clustering_figures.choose_examples(z, clusters, 4)
    for whole, parts in zip(together, apart, strict=True):
        for rows, same in zip(whole[1:], parts[1:], strict=True):
            np.testing.assert_array_equal(rows, same)
