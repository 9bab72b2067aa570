"""What a finished clustering tells of new samples: clusters, outliers, the most similar known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer

from narrows.clustering import neighbours
from narrows.clustering.saved import Answer, Saved
from narrows.data import blocks
from narrows.data.unit import to_unit
from narrows.evaluation import outliers

MAX_COMPARED = 10_000  # training rows whose scores say what is usual


@dataclass(frozen=True)
class Known:
    """What the clustering was made from."""

    x: np.ndarray
    """(M, ...), may be memory-mapped."""
    codes: Float[np.ndarray, "M D"]
    train: Integer[np.ndarray, " n"]
    """The training rows of x."""
    columns: Sequence[dict[str, Any]]
    """Of a table, those that became features; of other data none."""


@dataclass(frozen=True)
class Told:
    answer: Answer
    scores: Float[np.ndarray, " N"]
    """How odd: of a table the mean of its columns' errors over the usual ones, otherwise the mean
    squared error of the reconstruction."""
    ranks: Float[np.ndarray, " N"]
    """Share of the training rows with a lower score."""
    is_outlier: Bool[np.ndarray, " N"]
    """Above `limit`."""
    limit: float
    """`outliers.limit` of the training rows."""
    reasons: list[str]
    """Of a table's rows, the columns with the largest shares of the score; otherwise empty."""
    similar: Integer[np.ndarray, "N K"]
    """Rows of known samples with the nearest codes, nearest first."""
    far: Float[np.ndarray, "N K"]
    """Distances of these codes."""


def told(clustering: Saved, known: Known, x: np.ndarray, n_similar: int) -> Told:
    """All of it for samples x (N, ...) of the shape, type and scale of `known.x`."""
    score = _Score(clustering, known)
    parts = [
        (clustering.describe(part), *score.of(part))
        for part in blocks.blocks(x, blocks.n_together(x.shape[1:]))
    ]
    answers = [answer for answer, _, _ in parts]
    answer = Answer(
        codes=np.concatenate([a.codes for a in answers]),
        clusters=np.concatenate([a.clusters for a in answers]),
        soft=np.concatenate([a.soft for a in answers]),
        distances=np.concatenate([a.distances for a in answers]),
        errors=np.concatenate([a.errors for a in answers]),
    )
    scores = np.concatenate([found for _, found, _ in parts])
    similar = neighbours.nearest(known.codes, answer.codes, n_similar)
    return Told(
        answer=answer,
        scores=scores,
        ranks=np.searchsorted(score.usual, scores) / len(score.usual),
        is_outlier=scores > score.limit,
        limit=score.limit,
        reasons=[reason for _, _, reasons in parts for reason in reasons],
        similar=similar,
        far=np.linalg.norm(known.codes[similar] - answer.codes[:, None], axis=2),
    )


class _Score:
    """How odd samples are, and what that is of training rows."""

    def __init__(self, clustering: Saved, known: Known):
        self.clustering, self.columns = clustering, known.columns
        n = min(MAX_COMPARED, blocks.n_in_memory(known.x.shape[1:]))
        x = blocks.take(known.x, blocks.subset(known.train, n, seed=0))
        x_hat = self._reconstructed(x)
        self.ends = np.array([column["features"][1] for column in known.columns])
        if self.columns:
            self.by_column = outliers.usual(x, x_hat, self.ends)
        self.usual = np.sort(self._scored(x, x_hat)[0])
        self.limit = outliers.limit(self.usual)

    def of(self, x: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """Scores (N,), and of a table the columns to blame."""
        scores, relative = self._scored(x, self._reconstructed(x))
        if relative is None:
            return scores, [""] * len(x)
        return scores, [self._reason(row) for row in relative]

    def _scored(self, x: np.ndarray, x_hat: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        if not self.columns:
            return np.square(x_hat - to_unit(x)).reshape(len(x), -1).mean(axis=1), None
        relative = outliers.by_column(x, x_hat, self.ends, self.by_column)
        return outliers.scores(relative), relative

    def _reason(self, relative: np.ndarray) -> str:
        blamed = outliers.blamed(relative)
        return ", ".join(f"{self.columns[c]['name']} ({share:.0%})" for c, share in blamed)

    def _reconstructed(self, x: np.ndarray) -> np.ndarray:
        parts = blocks.blocks(x, blocks.n_together(x.shape[1:]))
        return np.concatenate([self.clustering.reconstruct(torch.from_numpy(p)) for p in parts])
