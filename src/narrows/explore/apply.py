"""What a clustering says about new samples: clusters, outliers, the most similar known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer
from scipy import sparse

from narrows.clustering import neighbours
from narrows.clustering.saved import Answer, Saved
from narrows.data import blocks, table_frame
from narrows.data.unit import to_unit
from narrows.evaluation import outliers

MAX_COMPARED = 10_000  # known rows whose scores say what is usual
AT_ONCE = 256
"""Number of samples that are looked at together. Fewer are filled up to as many: a matrix product
says something else of a row, in its last bits, with another number of rows, and what is said of a
new sample must not depend on the others of its file."""
TOGETHER = 64 * AT_ONCE
"""Number of samples that are read and described at once, where pictures are small enough."""


@dataclass(frozen=True)
class Known:
    """The samples that the clustering was made from."""

    x: np.ndarray
    """Samples (M, ...), which may be memory-mapped."""
    codes: Float[np.ndarray, "M D"]
    """Codes that were clustered."""
    reference: Integer[np.ndarray, " n"]
    """Rows of x whose scores say what is usual: those of `outliers.reference`."""
    columns: Sequence[dict[str, Any]]
    """Columns of a table that became features; empty for other data."""
    beyond: sparse.csr_array
    """How far values of a table lie outside what became 0 to 1, (M, C); (M, 0) of other data."""


@dataclass(frozen=True)
class Description:
    """What a finished clustering says about new samples."""

    answer: Answer
    """Codes, clusters, memberships, distances and errors."""
    scores: Float[np.ndarray, " N"]
    """How odd samples are: the mean squared error of the reconstruction, or of a table's rows the
    mean of the columns' errors over the usual ones."""
    ranks: Float[np.ndarray, " N"]
    """Share of the known rows that are compared with a lower score."""
    is_outlier: Bool[np.ndarray, " N"]
    """Whether the score is above `limit`."""
    limit: float
    """Score that `outliers.limit` gives for the known rows; infinite where the encoder
    reconstructs them without a loss, so that no outlier can be told."""
    reasons: list[str]
    """Columns with the largest shares of the score of a table's row; otherwise empty."""
    similar: Integer[np.ndarray, "N K"]
    """Rows of known samples with the nearest codes, nearest first."""
    similar_distances: Float[np.ndarray, "N K"]
    """Distances of the codes of `similar`."""


def describe(
    clustering: Saved,
    known: Known,
    x: np.ndarray,
    beyond: np.ndarray,
    n_similar: int,
    score: Score | None = None,
) -> Description:
    """Clusters, scores and the most similar known samples for new ones.

    Args:
        x: new samples (N, ...) of the shape, type and scale of `known.x`.
        beyond: how far values lie outside what became 0 to 1, (N, C) as in `known.beyond`; of an
            array (N, 1), the root of their mean square.
        n_similar: number of similar samples for each new one.
        score: of the clustering and the known samples, where others were described before.
    """
    score = score or Score(clustering, known)
    n_new, size = len(x), min(AT_ONCE, blocks.n_together(x.shape[1:]))
    x, beyond = filled(x, size), filled(beyond, size)
    z, similar = _codes(clustering, known, x, n_similar, size)
    together = zip(*(blocks.blocks(array, size) for array in (x, z, beyond)), strict=True)
    parts = [
        (clustering.describe(part, own), *score.of(part, outside))
        for part, own, outside in together
    ]
    answers = [answer for answer, _, _ in parts]
    answer = Answer(
        codes=np.concatenate([a.codes for a in answers])[:n_new],
        clusters=np.concatenate([a.clusters for a in answers])[:n_new],
        soft=np.concatenate([a.soft for a in answers])[:n_new],
        distances=np.concatenate([a.distances for a in answers])[:n_new],
        errors=np.concatenate([a.errors for a in answers])[:n_new],
    )
    scores, similar = np.concatenate([part for _, part, _ in parts])[:n_new], similar[:n_new]
    return Description(
        answer=answer,
        scores=scores,
        ranks=np.searchsorted(score.usual, scores) / len(score.usual),
        is_outlier=scores > score.limit,
        limit=score.limit,
        reasons=[reason for _, _, reasons in parts for reason in reasons][:n_new],
        similar=similar,
        similar_distances=np.linalg.norm(known.codes[similar] - answer.codes[:, None], axis=2),
    )


def n_together(*shapes: Sequence[int]) -> int:
    """How many samples, of these shapes, are read and described at once.

    >>> n_together((1, 28, 28)), n_together((3, 224, 224), (1280,))
    (16384, 256)
    """
    least = min(blocks.n_in_memory(shape) for shape in shapes)
    return max(AT_ONCE, min(TOGETHER, least // AT_ONCE * AT_ONCE))


def filled(array: np.ndarray, size: int) -> np.ndarray:
    """Rows (N, ...), the last one repeated until they are a multiple of `size`."""
    return np.concatenate([array, np.repeat(array[-1:], -len(array) % size, axis=0)])


def _codes(
    clustering: Saved, known: Known, x: np.ndarray, n_similar: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Codes (N, D) of new samples, made of `size` at a time, and the rows (N, K) of the known ones
    nearest to them.

    A sample that is equal to a known one has its code, which may differ in the last bits from what
    the encoder makes of it beside others.
    """
    z = np.concatenate([clustering.codes(part) for part in blocks.blocks(x, size)])
    similar = neighbours.nearest(known.codes, z, n_similar)
    for rows in similar.T[::-1]:  # the nearest last
        is_equal = (blocks.take(known.x, rows) == x).reshape(len(x), -1).all(axis=1)
        z[is_equal] = known.codes[rows[is_equal]]
    return z, similar


class Score:
    """How odd samples are, and what that is of known rows, which takes a look at many of them."""

    def __init__(self, clustering: Saved, known: Known):
        self.clustering, self.columns = clustering, known.columns
        n = min(MAX_COMPARED, blocks.n_in_memory(known.x.shape[1:]))
        rows = blocks.subset(known.reference, n, seed=0)
        x = blocks.take(known.x, rows)
        x_hat = self._reconstructed(x)
        self.ends = np.array([column["features"][1] for column in known.columns])
        if self.columns:
            compared = table_frame.with_gaps_of(x, x_hat, self.columns)
            self.by_column = outliers.usual(x, compared, self.ends)
        self.usual = np.sort(self._scored(x, x_hat, known.beyond[rows].toarray())[0])
        self.limit = outliers.limit(self.usual)

    def of(self, x: np.ndarray, beyond: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """Scores (N,), and of a table the columns to blame."""
        scores, relative = self._scored(x, self._reconstructed(x), beyond)
        if relative is None:
            return scores, [""] * len(x)
        return scores, [self._reason(row) for row in relative]

    def _scored(
        self, x: np.ndarray, x_hat: np.ndarray, beyond: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None]:
        if not self.columns:
            errors = np.square(x_hat - to_unit(x)).reshape(len(x), -1).mean(axis=1)
            return errors + np.square(beyond, dtype=np.float64).sum(axis=1), None
        compared = table_frame.with_gaps_of(x, x_hat, self.columns)
        relative = outliers.by_column(x, compared, self.ends, self.by_column, beyond)
        return outliers.scores(relative), relative

    def _reason(self, relative: np.ndarray) -> str:
        blamed = outliers.blamed(relative)
        return ", ".join(f"{self.columns[c]['name']} ({share:.0%})" for c, share in blamed)

    def _reconstructed(self, x: np.ndarray) -> np.ndarray:
        parts = blocks.blocks(x, blocks.n_together(x.shape[1:]))
        return np.concatenate([self.clustering.reconstruct(torch.from_numpy(p)) for p in parts])
