"""Scores of clusterings on examples that fit on paper."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from narrows.clustering import matching, metrics

LABELS = np.array([0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize("names", [[0, 1], [1, 0], [7, 3]])
def test_a_perfect_clustering_scores_one_whatever_its_clusters_are_called(names: list[int]) -> None:
    clusters = np.array(names)[LABELS]
    pairs = matching.pairs(LABELS, clusters)
    assert pairs == {names[0]: 0, names[1]: 1}
    assert metrics.accuracy(LABELS, clusters, pairs) == 1
    for score in (metrics.nmi, metrics.ari, metrics.purity):
        assert score(LABELS, clusters) == pytest.approx(1)


def test_with_more_clusters_than_labels_the_surplus_is_wrong() -> None:
    clusters = np.array([0, 0, 2, 1, 1, 1])
    pairs = matching.pairs(LABELS, clusters)
    assert pairs == {0: 0, 1: 1}
    assert metrics.accuracy(LABELS, clusters, pairs) == pytest.approx(5 / 6)
    assert metrics.purity(LABELS, clusters) == 1


def test_with_fewer_clusters_than_labels_a_label_is_missed() -> None:
    labels, clusters = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 0, 1, 1, 1])
    pairs = matching.pairs(labels, clusters)
    assert pairs == {0: 0, 1: 1}
    assert metrics.accuracy(labels, clusters, pairs) == pytest.approx(5 / 6)


def test_the_matching_maximises_the_total_and_not_each_cluster() -> None:
    # Both clusters hold mostly label 0; 2 + 2 beats the greedy 3 + 0.
    labels = np.array([0, 0, 0, 0, 0, 1, 1])
    clusters = np.array([5, 5, 5, 6, 6, 5, 5])
    assert matching.pairs(labels, clusters) == {5: 1, 6: 0}


def test_a_pair_without_a_common_point_is_no_match() -> None:
    # Cluster 4 holds label 0 only, which 3 holds more of; label 1 lies in 3 alone.
    labels, clusters = np.array([0, 0, 0, 1, 0]), np.array([3, 3, 3, 3, 4])
    assert matching.pairs(labels, clusters) == {3: 0}


def test_one_cluster() -> None:
    clusters = np.zeros(6, dtype=int)
    pairs = matching.pairs(LABELS, clusters)
    assert len(pairs) == 1
    assert metrics.accuracy(LABELS, clusters, pairs) == 0.5
    assert metrics.nmi(LABELS, clusters) == 0
    assert metrics.ari(LABELS, clusters) == 0
    assert metrics.purity(LABELS, clusters) == 0.5
    assert metrics.silhouette(np.arange(6.0)[:, None], clusters, seed=0) is None


def test_noise_is_wrong_for_accuracy_and_left_out_elsewhere() -> None:
    clusters = np.array([-1, 0, 0, 1, 1, -1])
    pairs = matching.pairs(LABELS, clusters)
    assert pairs == {0: 0, 1: 1}
    assert metrics.accuracy(LABELS, clusters, pairs) == pytest.approx(4 / 6)
    assert metrics.coverage(clusters) == pytest.approx(4 / 6)
    assert metrics.nmi(LABELS, clusters) == pytest.approx(1)
    assert metrics.ari(LABELS, clusters) == pytest.approx(1)
    assert metrics.purity(LABELS, clusters) == 1


def test_noise_is_never_matched_even_where_it_would_match_best() -> None:
    assert matching.pairs(LABELS, np.array([-1, -1, -1, 1, 1, 1])) == {1: 1}


def test_noise_takes_no_label_from_a_cluster() -> None:
    labels, clusters = np.array([0, 0, 0, 0, 0, 1]), np.array([-1, -1, -1, 5, 5, 5])
    assert matching.pairs(labels, clusters) == {5: 0}


def test_all_noise() -> None:
    clusters = np.full(6, -1)
    assert matching.pairs(LABELS, clusters) == {}
    assert metrics.accuracy(LABELS, clusters, {}) == 0
    assert metrics.coverage(clusters) == 0
    for score in (metrics.nmi, metrics.ari, metrics.purity):
        assert score(LABELS, clusters) is None
    assert metrics.silhouette(np.arange(6.0)[:, None], clusters, seed=0) is None


def test_held_out_accuracy_uses_the_matching_of_train() -> None:
    pairs = matching.pairs(LABELS, np.array([0, 0, 0, 1, 1, 1]))
    # On test the clusters are swapped, and cluster 2 never occurred in train.
    labels, clusters = np.array([0, 0, 1, 1, 1]), np.array([1, 1, 0, 1, 2])
    assert metrics.accuracy(labels, clusters, pairs) == 0.2
    assert metrics.accuracy(labels, clusters, matching.pairs(labels, clusters)) == 0.6


def test_nmi_is_normalised_by_the_arithmetic_mean() -> None:
    # I = H(labels) = 1 bit, H(clusters) = 1.5 bits: 1 / 1.25. The geometric mean gives .8165.
    labels, clusters = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])
    assert metrics.nmi(labels, clusters) == pytest.approx(0.8)


def test_ari_by_hand() -> None:
    # Pairs: 6 share a label, 4 a cluster, 4 both, of 15: (4 - 1.6) / (5 - 1.6).
    clusters = np.array([0, 0, 2, 1, 1, 1])
    assert metrics.ari(LABELS, clusters) == pytest.approx(2.4 / 3.4)


def test_silhouette_ignores_noise_and_is_none_when_every_point_is_its_own_cluster() -> None:
    z = np.array([[0.0], [1.0], [10.0], [11.0], [500.0]])
    score = metrics.silhouette(z, np.array([0, 0, 1, 1, -1]), seed=0)
    assert score == pytest.approx((9.5 / 10.5 + 8.5 / 9.5) / 2)
    assert metrics.silhouette(z, np.arange(5), seed=0) is None


def test_silhouette_of_many_points_is_drawn_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MAX_SILHOUETTE_ROWS", 100)
    clusters = np.arange(1_000) % 2
    z = np.random.default_rng(0).normal(size=(1_000, 2)) + 3 * clusters[:, None]
    first, again, other = (metrics.silhouette(z, clusters, seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    monkeypatch.setattr(metrics, "MAX_SILHOUETTE_ROWS", 1_000)
    assert metrics.silhouette(z, clusters, 0) == pytest.approx(first, abs=0.1)


def test_contingency_names_its_rows_and_columns() -> None:
    counts, labels, clusters = matching.contingency(np.array([4, 4, 2]), np.array([-1, 8, 8]))
    assert counts.tolist() == [[0, 1], [1, 1]]
    assert (labels.tolist(), clusters.tolist()) == ([2, 4], [-1, 8])


def test_accuracy_is_that_of_one_point_after_the_other() -> None:
    """Labels and clusters with gaps, noise, and clusters that the matching does not know."""
    rng = np.random.default_rng(0)
    for n in (1, 2, 300):
        labels, clusters = rng.integers(-2, 9, n), rng.integers(-1, 12, n)
        pairs = {**matching.pairs(labels, clusters), 40: 0}
        pairs.pop(int(clusters[0]), None)
        hits = [
            pairs.get(c) == label
            for c, label in zip(clusters.tolist(), labels.tolist(), strict=True)
        ]
        assert metrics.accuracy(labels, clusters, pairs) == np.mean(hits)


def test_unmatched_clusters_are_numbered_on_and_noise_stays() -> None:
    clusters = np.array([9, 4, -1, 2, 4, 6])
    assert matching.renamed(clusters, {4: 0, 6: 7}, 8).tolist() == [9, 0, -1, 8, 0, 7]
    assert matching.renamed(np.empty(0, int), {}, 0).tolist() == []


def test_shapes_in_annotations_are_checked_in_tests() -> None:
    with pytest.raises(TypeCheckError):
        metrics.nmi(LABELS, LABELS[:3])
