"""How much of the labels frozen codes tell: pure functions of codes and labels.

A code is judged by what stands on it, as Bengio et al. 2013 (arXiv:1206.5538) and the literature
on representations since do: a linear classifier, the vote of the nearest codes, and retrieval.
All are shares in [0, 1]. The classifiers learn from train codes and are scored on others.
"""

import numpy as np
from jaxtyping import Float, Integer

from narrows.data.blocks import subset

Codes = Float[np.ndarray, "N D"]
Labels = Integer[np.ndarray, " N"]
MAX_TRAIN_ROWS = 10_000
"""Train codes that a probe learns from, at most, so that 70,000 codes take a second or two."""
MAX_QUERIES = 2_000
"""Codes whose neighbours are asked for, at most."""
N_NEIGHBOURS = 10
"""Neighbours of a query that vote."""
MAX_ITERATIONS = 100
"""Iterations of L-BFGS; on standardised codes the accuracy has settled before."""


def linear_probe(
    train_z: Codes,
    train_labels: Labels,
    z: Float[np.ndarray, "M D"],
    labels: Integer[np.ndarray, " M"],
    seed: int,
) -> float | None:
    """Accuracy of a logistic regression on standardised codes (Alain & Bengio 2016,
    arXiv:1610.01644): how well hyperplanes separate the labels.

    Fitted on at most 10,000 train codes, drawn by the seed, scored on all of z. None where the
    codes it would be fitted on have one label.

    Example:
        Positive codes are of label 1, negative ones of 0; the third query lies on the wrong side:

        >>> train_z = np.array([[-2.0], [-1.0], [1.0], [2.0]])
        >>> z = np.array([[-3.0], [3.0], [0.5], [4.0]])
        >>> linear_probe(train_z, np.array([0, 0, 1, 1]), z, np.array([0, 1, 0, 1]), seed=0)
        0.75
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = subset(np.arange(len(train_z)), MAX_TRAIN_ROWS, seed)
    if len(np.unique(train_labels[rows])) < 2:
        return None
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=MAX_ITERATIONS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(train_z[rows], train_labels[rows])
    return float(np.mean(probe.predict(z) == labels))


def knn_accuracy(
    labels_of_neighbours: Integer[np.ndarray, "N K"], labels: Integer[np.ndarray, " N"]
) -> float:
    """Share of queries whose label most of their K neighbours have; a tie goes to the lower label.

    Example:
        The vote is 1 for the first query; for the second 2, 0 and 3 tie and 0 is taken:

        >>> knn_accuracy(np.array([[1, 1, 0], [2, 0, 3]]), np.array([1, 2]))
        0.5
    """
    ids = np.unique(labels_of_neighbours)  # (L,), ascending: argmax takes the lowest of a tie
    counts = (labels_of_neighbours[:, :, None] == ids).sum(axis=1)  # (N, L)
    return float(np.mean(ids[counts.argmax(axis=1)] == labels))


def precision_at(
    labels_of_neighbours: Integer[np.ndarray, "N K"], labels: Integer[np.ndarray, " N"], k: int
) -> float:
    """Share of the k nearest codes that have their query's label, a mean over queries.

    Precision at k of retrieval (Manning et al. 2008, Introduction to Information Retrieval, 8.4).

    Example:
        Of the two nearest, one of the first query's is right, both of the second's:

        >>> found = np.array([[1, 0, 0], [2, 2, 0]])
        >>> precision_at(found, np.array([1, 2]), k=2), precision_at(found, np.array([1, 2]), k=3)
        (0.75, 0.5)
    """
    return float(np.mean(labels_of_neighbours[:, :k] == labels[:, None]))
