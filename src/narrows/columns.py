"""Reconstruction errors of a table by its columns: which columns an encoder loses, which rows
are outliers, and by which of their columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float


def used(columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the columns that became features, of a schema's "columns", in order."""
    return [column["name"] for column in columns if "features" in column]


def errors(
    x: Float[np.ndarray, "N D"],
    x_hat: Float[np.ndarray, "N D"],
    columns: Sequence[Mapping[str, Any]],
) -> Float[np.ndarray, "N C"]:
    """Squared error of each row in each of its columns that became features, summed over these.

    Example:
        A number that is off by .5, and a category of two features that is taken for the other:

        >>> columns = [{"name": "n", "features": [0, 1]}, {"name": "w", "features": [1, 3]}]
        >>> x, x_hat = np.array([[1.0, 1.0, 0.0]]), np.array([[0.5, 0.0, 1.0]])
        >>> errors(x, x_hat, columns).tolist()
        [[0.25, 2.0]]
    """
    squared = np.square(x - x_hat)
    spans = [column["features"] for column in columns if "features" in column]
    return np.column_stack([squared[:, start:stop].sum(axis=1) for start, stop in spans])


def outlier_scores(errors: Float[np.ndarray, "N C"]) -> Float[np.ndarray, " N"]:
    """How odd a row is: minus the log of the share of rows with as large an error, mean of columns.

    The tail probabilities of ECOD (Li et al. 2022, arXiv:2201.00382), taken of errors instead of
    values: a column that nobody can tell weighs no more than one that is told exactly. Of rows
    that differ by chance alone the mean is 1, of equal errors each has their middle rank.

    Example:
        Four rows: the largest error is among the first 1/8, the others among 3/8, 5/8 and 7/8:

        >>> outlier_scores(np.array([[0.1], [0.2], [0.3], [9.0]])).round(3).tolist()
        [0.134, 0.47, 0.981, 2.079]
    """
    from scipy.stats import rankdata

    ranks = rankdata(errors, axis=0)  # the middle one of equal errors
    tails = (len(errors) - ranks + 0.5) / len(errors)
    return np.asarray(-np.log(tails).mean(axis=1))
