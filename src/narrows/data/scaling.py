"""Numbers of any range as the values in [0, 1] that networks learn from, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from narrows.errors import UserError

Ends = np.ndarray | np.floating | float
"""Least or largest values: (D,) by column, or one number."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """x = low + span * unit, for each feature of a table and for all values of pictures alike."""

    low: np.ndarray
    """What becomes 0: (D,), or () for pictures."""
    span: np.ndarray
    """What becomes a difference of 1, of the same shape; 1 where all values are equal."""

    @classmethod
    def of(cls, x: np.ndarray, together: bool = False) -> Scaling:
        """Takes the samples (N, D) or (N, C, H, W) to [0, 1], from their least to their largest.

        Args:
            together: whether a table's columns have one scale, so that distances keep their
                proportions.

        Raises:
            UserError: a value is not finite, or the difference of two is not.

        >>> Scaling.of(np.array([[2.0, 7.0], [6.0, 7.0]])).to_unit(np.array([[5.0, 7.0]])).tolist()
        [[0.75, 0.0]]
        """
        axes = 0 if x.ndim == 2 and not together else None
        return cls.between(x.min(axis=axes), x.max(axis=axes))

    @classmethod
    def between(cls, low: Ends, high: Ends) -> Scaling:
        """Takes `low` to 0 and `high` to 1, (D,) or ().

        Raises:
            UserError: one of them is not finite, or their difference is not.
        """
        start = np.asarray(low, np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            span = np.asarray(high, np.float64) - start
        if not np.isfinite(span).all():
            raise UserError("x has values that are not finite, or lie too far apart for a float64")
        return cls(start, np.where(span > 0, span, 1.0))

    def to_unit(self, x: np.ndarray) -> np.ndarray:
        """Samples as float32; those beyond the ends that were seen are beyond [0, 1], too."""
        return ((x - self.low) / self.span).astype(np.float32)

    def from_unit(self, unit: np.ndarray) -> np.ndarray:
        """Samples in their own units, float64."""
        return np.asarray(self.low + self.span * unit.astype(np.float64))

    def equals(self, other: Scaling | None) -> bool:
        """Whether both do the same."""
        if other is None or self.low.shape != other.low.shape:
            return False
        return bool((self.low == other.low).all() and (self.span == other.span).all())
