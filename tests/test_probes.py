"""Probes of frozen codes, with values by hand."""

import numpy as np
import pytest

from narrows.clustering import neighbours
from narrows.evaluation import probes


def test_drawn_rows_are_ascending_distinct_and_the_same_for_a_seed() -> None:
    rows = np.arange(100, 200)
    subset = probes.subset(rows, 10, seed=3)
    assert len(np.unique(subset)) == 10
    assert (np.diff(subset) > 0).all()
    assert set(subset) <= set(rows)
    assert subset.tolist() == probes.subset(rows, 10, seed=3).tolist()
    assert subset.tolist() != probes.subset(rows, 10, seed=4).tolist()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_linear_probe_does_not_see_the_scale_of_a_code(scale: float) -> None:
    """Label 1 is at x > 0; of four queries one lies on the other side: 3 / 4."""
    train_z = scale * np.array([[-2.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    z = scale * np.array([[-3.0, 0.0], [3.0, 0.0], [0.5, 0.0], [4.0, 0.0]])
    train_labels, labels = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    assert probes.linear_probe(train_z, train_labels, z, labels, seed=0) == 0.75


def test_hyperplanes_do_not_solve_xor_and_neighbours_do() -> None:
    """Corners of a square, equal labels across: a line gets at most 3 of 4 right."""
    z = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    labels = np.array([0, 0, 1, 1])
    assert probes.linear_probe(z, labels, z, labels, seed=0) <= 0.75
    assert probes.precision_at(labels[neighbours.nearest(z, z, 1)], labels, 1) == 1.0


def test_the_linear_probe_fits_at_most_so_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fitted on 4 of 1,000 codes that tell their label, it still separates the labels."""
    monkeypatch.setattr(probes, "MAX_TRAIN_ROWS", 4)
    labels = np.arange(1000) % 2
    z = 2.0 * labels[:, None] - 1
    assert probes.linear_probe(z, labels, z, labels, seed=0) == 1.0


def test_neighbours_are_nearest_first_and_no_more_than_there_are() -> None:
    """Distances from 4: 4, 1, 2; from 1: 1, 4, 5."""
    train_z = np.array([[0.0], [5.0], [6.0]])
    near = neighbours.nearest(train_z, np.array([[4.0], [1.0]]), 10)
    assert near.tolist() == [[1, 2, 0], [0, 1, 2]]


def test_votes_and_precision() -> None:
    """Votes 1 and 0, the second a tie of 0 and 2. At 2: 1/2 and 1/2; at 4: 3/4 and 2/4."""
    near, labels = np.array([[1, 0, 1, 1], [2, 0, 2, 0]]), np.array([1, 2])
    assert probes.knn_accuracy(near, labels) == 0.5
    assert probes.precision_at(near, labels, 1) == 1.0
    assert probes.precision_at(near, labels, 2) == 0.5
    assert probes.precision_at(near, labels, 4) == 0.625


def test_votes_are_those_of_one_query_after_the_other() -> None:
    rng = np.random.default_rng(0)
    for n_labels in (1, 3, 40):
        near, labels = rng.integers(0, n_labels, (200, 10)), rng.integers(0, n_labels, 200)
        votes = [np.bincount(row).argmax() for row in near]  # of a tie the lowest
        assert probes.knn_accuracy(near, labels) == np.mean(votes == labels)


def test_one_label_has_no_linear_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    z = np.arange(6.0)[:, None]
    assert probes.linear_probe(z, np.ones(6, int), z, np.arange(6) % 2, seed=0) is None
    monkeypatch.setattr(probes, "MAX_TRAIN_ROWS", 1)  # nor has a single row
    assert probes.linear_probe(z, np.arange(6) % 2, z, np.arange(6) % 2, seed=0) is None
