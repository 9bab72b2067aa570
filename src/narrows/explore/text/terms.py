"""What clusters of documents are about: pure functions of TF-IDF rows and assignments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

N_NAME = 4
"""Terms that name a cluster."""


class Term(NamedTuple):
    """A term of a cluster."""

    term: str
    """The term."""
    here: float
    """Share of the cluster's documents that have the term."""
    elsewhere: float
    """Share of all other documents that have the term."""


def top_terms(
    x: Float[np.ndarray, "N D"], terms: Sequence[str], clusters: Integer[np.ndarray, " N"], n: int
) -> dict[int, list[Term]]:
    """By cluster, the terms whose mean weight is most above that of all other documents.

    Example:
        `a` is in both documents of cluster 0, `b` in one of them and in the other cluster's:

        >>> x = np.array([[0.9, 0.0], [0.8, 0.2], [0.0, 1.0]])
        >>> top_terms(x, ["a", "b"], np.array([0, 0, 1]), n=2)[0]
        [Term(term='a', here=1.0, elsewhere=0.0)]
    """
    sums = {int(cluster): _sums(x, clusters == cluster) for cluster in np.unique(clusters)}
    weights = np.sum([weight for weight, _, _ in sums.values()], axis=0)
    counts = np.sum([count for _, count, _ in sums.values()], axis=0)
    top = {}
    for cluster, (weight, count, size) in sums.items():
        rest = max(1, len(clusters) - size)
        more = weight / size - (weights - weight) / rest
        best = [i for i in np.argsort(-more, kind="stable")[:n] if more[i] > 0]
        others = (counts - count) / rest
        top[cluster] = [Term(terms[i], float(count[i] / size), float(others[i])) for i in best]
    return top


def names(top: Mapping[int, Sequence[Term]]) -> dict[int, str]:
    """Guesses at what clusters could be called: their first terms, of ship and ships the first.

    >>> ship, ships, sea = (Term(word, 1.0, 0.0) for word in ("ship", "ships", "sea"))
    >>> names({0: [ship, ships, sea], -1: [ship]})
    {0: 'ship, sea'}
    """
    guessed = {}
    for cluster, terms in top.items():
        chosen: list[str] = []
        for word in (term.term for term in terms):
            if not any(word.startswith(own) or own.startswith(word) for own in chosen):
                chosen.append(word)
        if cluster >= 0 and chosen:
            guessed[cluster] = ", ".join(chosen[:N_NAME])
    return guessed


def _sums(x: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Weights and numbers of documents by term, and how many documents there are."""
    rows = x[own]
    return rows.sum(axis=0, dtype=np.float64), (rows > 0).sum(axis=0), len(rows)
