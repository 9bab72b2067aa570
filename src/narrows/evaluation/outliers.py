"""Which reconstruction errors are unusually large, and which columns of a table are to blame."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer

FLOOR = 0.01
"""Share of a column's variance below which an error is small, however regular the column is."""
N_BLAMED = 3
"""Columns that are named for an odd row, at most."""
LEAST_SHARE = 0.05
"""Share of a row's errors from which a column is named."""
ROUNDING = 1e-4
"""Deviation of the roots up to which reconstructions are copies, but for rounding."""
OUTLIER_SCORE = 3.5
"""Deviations from the median that make an outlier: Iglewicz & Hoaglin 1993, as cited by the NIST
handbook, 1.3.5.17."""


def limit(errors: Float[np.ndarray, " N"]) -> float:
    """The mean squared error above which one is unusual: its root lies 3.5 deviations above the
    median of the roots; infinite where all are alike, as of an encoder without a loss.

    Median and median absolute deviation instead of mean and deviation, so that outliers do not
    hide themselves.

    Example:
        Roots 1, 1, 1, 2, 2, 2: they lie half a unit from their median of 1.5.

        >>> round(limit(np.array([1.0, 4.0, 1.0, 4.0, 1.0, 4.0])), 2)
        16.77
    """
    roots = np.sqrt(errors)
    median = np.median(roots)
    deviation = np.median(np.abs(roots - median)) / 0.6745  # a normal distribution's
    if deviation < ROUNDING:
        return float("inf")
    return float((median + OUTLIER_SCORE * deviation) ** 2)


def unusual(errors: Float[np.ndarray, " N"]) -> Integer[np.ndarray, " n"]:
    """Places of the errors above their `limit`, the worst first.

    >>> unusual(np.array([1.0, 4.0, 1.0, 4.0, 2.0, 900.0])).tolist()
    [5]
    """
    places = np.flatnonzero(errors > limit(errors))
    return places[np.argsort(-errors[places], kind="stable")]


def squared(
    x: Float[np.ndarray, "N D"], x_hat: Float[np.ndarray, "N D"], ends: Integer[np.ndarray, " C"]
) -> Float[np.ndarray, "N C"]:
    """Squared error of each row in each column, a sum over the column's features.

    Args:
        ends: where the features of a column end, ascending; the next column begins there.

    >>> squared(np.array([[1.0, 0.0, 3.0]]), np.array([[0.0, 2.0, 3.0]]), np.array([2, 3])).tolist()
    [[5.0, 0.0]]
    """
    starts = np.array([0, *ends[:-1]])
    return np.add.reduceat(np.square(x.astype(np.float64) - x_hat), starts, axis=1)


def usual(
    x: Float[np.ndarray, "N D"], x_hat: Float[np.ndarray, "N D"], ends: Integer[np.ndarray, " C"]
) -> Float[np.ndarray, " C"]:
    """The squared error that is usual in each column: the mean, and a hundredth of the variance.

    Example:
        A column of two features and one of one, which is off by 2 in the second row. Mean errors
        are 1 and 2, variances .5 and 1:

        >>> x = np.array([[1.0, 0.0, 3.0], [0.0, 1.0, 5.0]])
        >>> x_hat = np.array([[0.0, 0.0, 3.0], [0.0, 0.0, 3.0]])
        >>> usual(x, x_hat, np.array([2, 3])).tolist()
        [1.005, 2.01]
    """
    variances = np.add.reduceat(x.var(axis=0, dtype=np.float64), np.array([0, *ends[:-1]]))
    return squared(x, x_hat, ends).mean(axis=0) + FLOOR * variances


def by_column(
    x: Float[np.ndarray, "N D"],
    x_hat: Float[np.ndarray, "N D"],
    ends: Integer[np.ndarray, " C"],
    usual: Float[np.ndarray, " C"],
    beyond: Float[np.ndarray, "N C"],
) -> Float[np.ndarray, "N C"]:
    """Squared error of each row in each column, over what is usual in that column: 1 is usual.

    Without that, columns that cannot be reconstructed would hide what is odd in the others. An
    encoder sees values in [0, 1] only; how far one lay outside is an error in full.

    Args:
        beyond: how far each column's value lay outside [0, 1].

    >>> x = np.array([[1.0, 0.0, 3.0], [0.0, 1.0, 5.0]])
    >>> x_hat = np.array([[0.0, 0.0, 3.0], [0.0, 0.0, 3.0]])
    >>> ends, usual = np.array([2, 3]), np.array([1.0, 2.0])
    >>> by_column(x, x_hat, ends, usual, np.zeros((2, 2))).tolist()
    [[1.0, 0.0], [1.0, 2.0]]
    >>> by_column(x, x_hat, ends, usual, np.array([[0.0, 0.0], [0.0, 4.0]])).tolist()
    [[1.0, 0.0], [1.0, 10.0]]
    """
    errors = squared(x, x_hat, ends) + np.square(beyond, dtype=np.float64)
    return np.divide(errors, usual, out=np.zeros_like(errors), where=usual > 0)


def blamed(relative: Float[np.ndarray, " C"]) -> list[tuple[int, float]]:
    """The columns with the largest shares of a row's errors, and these shares: at most three, of
    at least a twentieth.

    >>> blamed(np.array([1.0, 0.0, 3.0]))
    [(2, 0.75), (0, 0.25)]
    """
    shares = relative / (relative.sum() or 1)
    worst = np.argsort(-shares, kind="stable")[:N_BLAMED]
    return [(int(c), float(shares[c])) for c in worst if shares[c] >= LEAST_SHARE]


def scores(relative: Float[np.ndarray, "N C"]) -> Float[np.ndarray, " N"]:
    """How odd each row is: its errors by column in units of the usual ones, a mean of columns.

    >>> scores(np.array([[1.0, 1.0], [7.0, 1.0]])).tolist()
    [1.0, 4.0]
    """
    mean: np.ndarray = relative.mean(axis=1)
    return mean
