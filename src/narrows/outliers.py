"""Which reconstruction errors are unusually large, and which columns of a table are to blame."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer

FLOOR = 0.01  # of a column's variance: smaller errors are small, however regular the column is
OUTLIER_SCORE = 3.5  # of Iglewicz & Hoaglin 1993, as cited by the NIST handbook, 1.3.5.17


def unusual(errors: Float[np.ndarray, " N"]) -> Integer[np.ndarray, " n"]:
    """Places of mean squared errors whose root lies 3.5 deviations above the median, worst first.

    Median and median absolute deviation instead of mean and deviation, so that outliers do not
    hide themselves.

    >>> unusual(np.array([1.0, 4.0, 1.0, 4.0, 2.0, 900.0])).tolist()
    [5]
    """
    roots = np.sqrt(errors)
    away = roots - np.median(roots)
    deviation = np.median(np.abs(away)) / 0.6745  # of a normal distribution
    if deviation < 1e-6:  # a copy
        return np.empty(0, int)
    worst = np.argsort(-away, kind="stable")
    return worst[away[worst] / deviation > OUTLIER_SCORE]


def by_column(
    x: Float[np.ndarray, "N D"], x_hat: Float[np.ndarray, "N D"], ends: Integer[np.ndarray, " C"]
) -> Float[np.ndarray, "N C"]:
    """Squared error of each row in each column, over what is usual in that column: 1 is usual.

    Without that, columns that cannot be reconstructed would hide what is odd in the others. Usual
    is the column's mean error and a hundredth of its variance.

    Args:
        ends: of a column's features, ascending; a column begins where the one before it ends.

    Example:
        A column of two features and one of one, which is off by 2 in the second row. Errors are
        1, 1 and 0, 4; variances are .5 and 1, so that 1.005 and 2.01 are usual:

        >>> x = np.array([[1.0, 0.0, 3.0], [0.0, 1.0, 5.0]])
        >>> x_hat = np.array([[0.0, 0.0, 3.0], [0.0, 0.0, 3.0]])
        >>> by_column(x, x_hat, np.array([2, 3])).round(3).tolist()
        [[0.995, 0.0], [0.995, 1.99]]
    """
    starts = np.array([0, *ends[:-1]])
    errors = np.add.reduceat(np.square(x.astype(np.float64) - x_hat), starts, axis=1)
    variances = np.add.reduceat(x.var(axis=0, dtype=np.float64), starts)
    usual = errors.mean(axis=0) + FLOOR * variances
    return np.divide(errors, usual, out=np.zeros_like(errors), where=usual > 0)


def scores(relative: Float[np.ndarray, "N C"]) -> Float[np.ndarray, " N"]:
    """How odd each row is: its errors by column in units of the usual ones, a mean of columns.

    >>> scores(np.array([[1.0, 1.0], [7.0, 1.0]])).tolist()
    [1.0, 4.0]
    """
    mean: np.ndarray = relative.mean(axis=1)
    return mean
