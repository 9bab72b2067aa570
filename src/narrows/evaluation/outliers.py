"""Which reconstruction errors are unusually large, and which columns of a table are to blame."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Integer

FLOOR = 0.01
"""Share of a column's variance below which an error is small, however regular the column is."""
N_BLAMED = 3
"""Columns that are named for an odd row, at most."""
LEAST_SHARE = 0.05
"""Share of a row's errors from which a column is named."""
ROUNDING = 1e-4
"""Root of an error up to which a reconstruction is a copy, but for rounding."""
OUTLIER_SCORE = 3.5
"""Deviations from the median that make an outlier: Iglewicz & Hoaglin 1993, as cited by the NIST
handbook, 1.3.5.17."""


LEAST_UNSEEN = 20
"""Number of samples that an encoder has not learned from, from which their errors say what is usual
for such samples."""


def is_lossless(errors: Float[np.ndarray, " N"]) -> bool:
    """Whether most samples are reconstructed without a loss, so that none can be odd by its error.

    >>> is_lossless(np.array([0.0, 0.0, 9.0])), is_lossless(np.array([1.0, 1.0, 9.0]))
    (True, False)
    """
    return bool(np.sqrt(np.median(errors)) < ROUNDING)


def limit(errors: Float[np.ndarray, " N"]) -> float:
    """The mean squared error above which one is unusual: its root lies 3.5 deviations above the
    median of the roots; infinite of an encoder without a loss, and where all errors are alike.

    Median and median absolute deviation instead of mean and deviation, so that outliers do not
    hide themselves; the mean absolute deviation where more than half of the errors are equal.

    Example:
        Roots 1, 1, 1, 2, 2, 2: they lie half a unit from their median of 1.5.

        >>> round(limit(np.array([1.0, 4.0, 1.0, 4.0, 1.0, 4.0])), 2)
        16.77
    """
    if is_lossless(errors):
        return float("inf")
    roots = np.sqrt(errors)
    median = np.median(roots)
    apart = np.abs(roots - median)
    deviation = np.median(apart) / 0.6745  # both as a normal distribution's
    if deviation < ROUNDING:
        deviation = apart.mean() * (np.pi / 2) ** 0.5
    if deviation < ROUNDING:
        return float("inf")
    return float((median + OUTLIER_SCORE * deviation) ** 2)


def reference(learned: Bool[np.ndarray, " N"]) -> Integer[np.ndarray, " n"]:
    """Rows whose errors say what is usual for a sample that an encoder has not seen: those that it
    has not learned from, or all where these are fewer than 20.

    >>> reference(np.arange(100) < 70).size, reference(np.arange(100) < 90).size
    (30, 100)
    """
    unseen = np.flatnonzero(~learned)
    return unseen if len(unseen) >= LEAST_UNSEEN else np.arange(len(learned))


def unusual(
    errors: Float[np.ndarray, " N"], learned: Bool[np.ndarray, " N"] | None = None
) -> Integer[np.ndarray, " n"]:
    """Places of the errors above their `limit`, the worst first.

    Args:
        learned: which samples the encoder has learned from, and so reconstructs better: they and
            the others, where these are enough to be a `reference`, have a limit each.

    >>> unusual(np.array([1.0, 4.0, 1.0, 4.0, 2.0, 900.0])).tolist()
    [5]
    >>> unusual(np.array([*[1.0] * 20, 900.0])).tolist()
    [20]
    """
    kinds = [np.arange(len(errors))]
    if learned is not None and len(unseen := reference(learned)) < len(errors):
        kinds = [unseen, np.flatnonzero(learned)]
    excess = np.zeros(len(errors))
    for rows in (rows for rows in kinds if len(rows)):
        excess[rows] = errors[rows] / limit(errors[rows])
    places = np.flatnonzero(excess > 1)
    return places[np.argsort(-excess[places], kind="stable")]


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
    encoder sees values in [0, 1] only; the square of how far one lay outside is added. That is not
    divided by the usual error, which is so small that every long tail would count as odd.

    Args:
        beyond: how far each column's value lay outside [0, 1].

    >>> x = np.array([[1.0, 0.0, 3.0], [0.0, 1.0, 5.0]])
    >>> x_hat = np.array([[0.0, 0.0, 3.0], [0.0, 0.0, 3.0]])
    >>> ends, usual = np.array([2, 3]), np.array([1.0, 2.0])
    >>> by_column(x, x_hat, ends, usual, np.zeros((2, 2))).tolist()
    [[1.0, 0.0], [1.0, 2.0]]
    >>> by_column(x, x_hat, ends, usual, np.array([[0.0, 0.0], [0.0, 4.0]])).tolist()
    [[1.0, 0.0], [1.0, 18.0]]
    """
    errors = squared(x, x_hat, ends)
    relative = np.divide(errors, usual, out=np.zeros_like(errors), where=usual > 0)
    return relative + np.square(beyond, dtype=np.float64)


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
