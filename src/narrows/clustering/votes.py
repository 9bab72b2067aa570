"""How well a sample's neighbours foretell its cluster: what clusterings are ranked by without a
label.

The neighbours are those of the samples themselves, or of features that others' encoders have of
them, the same for every clustering: clusters that cut through a crowd are foretold badly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from narrows.clustering import matching, metrics
from narrows.clustering.neighbours import nearest
from narrows.data import blocks, splits

N_NEIGHBOURS = 10


@dataclass(frozen=True)
class Voters:
    """Samples of a split, and who votes on their clusters."""

    rows: np.ndarray
    """Row numbers (n,) of the samples."""
    near: np.ndarray
    """Row numbers (n, 10) of the training samples nearest to each."""


def voters(x: np.ndarray, split: np.ndarray, name: str, most: int | None = None) -> Voters:
    """The nearest training samples of the samples of a split; of very many large samples, a draw of
    the training samples stands for all.

    Args:
        x: points (N, ...) between which distances are measured.
        split: split of every sample (N,), a position in `splits.NAMES`.
        name: of the split.
        most: number of its samples of which a draw stands for all.
    """

    def flat(rows: np.ndarray) -> np.ndarray:
        return blocks.take(x, rows).reshape(len(rows), -1).astype(np.float32)

    train, rows = (np.flatnonzero(splits.mask(split, part)) for part in ("train", name))
    n = blocks.n_in_memory(x.shape[1:])  # samples that fit into memory together
    train = blocks.subset(train, n, seed=0)
    rows = rows if most is None else blocks.subset(rows, most, seed=0)
    train_x, parts = flat(train), np.split(rows, range(n, len(rows), n))
    near = [train[nearest(train_x, flat(part), N_NEIGHBOURS)] for part in parts]
    return Voters(rows, np.concatenate(near))


def neighbours(clusters: np.ndarray, voters: Voters) -> float:
    """How well the nearest training samples foretell clusters (N,).

    Adjusted Rand index between the clusters and the commonest cluster of their neighbours, times
    the share that is not noise; 0 with fewer than two clusters.

    Example:
        Two samples, each beside a training sample of its own cluster, or of the other:

        >>> both = Voters(np.array([2, 3]), np.array([[0], [1]]))
        >>> neighbours(np.array([0, 1, 0, 1]), both)
        1.0
        >>> neighbours(np.array([0, 1, 0, 0]), both)
        0.0
    """
    own = clusters[voters.rows]
    votes = np.array([np.bincount(row + 1).argmax() - 1 for row in clusters[voters.near]])
    if len(np.unique(own[own != matching.NOISE])) < 2:
        return 0.0
    # where a vote is noise, it is one more name; where the sample is, it is not covered
    covered = own != matching.NOISE
    return float((metrics.ari(own[covered], votes[covered] + 1) or 0.0) * metrics.coverage(own))
