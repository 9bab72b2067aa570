"""What every dataset hands over, checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from narrows.errors import UserError


@dataclass(frozen=True)
class Dataset:
    """Rows in the source's order.

    Raises:
        UserError: no rows, an undocumented shape or type, NaN or infinity.
    """

    x: np.ndarray
    """Pictures, uint8 (N, C, H, W); or a table, float32 (N, D)."""
    labels: np.ndarray | None
    """Ground truth, int64 (N,); None where the data has none."""
    is_test: np.ndarray | None
    """bool (N,), true for the rows of the data's own test set; None where it has none."""

    def __post_init__(self) -> None:
        x = self.x
        if (str(x.dtype), x.ndim) not in {("uint8", 4), ("float32", 2)}:
            raise UserError(f"x should be uint8 (N, C, H, W) or float32 (N, D), {_found(x)}")
        if x.size == 0:
            raise UserError(f"the dataset is empty: x is {x.dtype} {x.shape}")
        if x.dtype == np.float32 and not (finite := np.isfinite(x).all(axis=1)).all():
            raise UserError(f"x holds NaN or infinity, first in row {int(np.argmin(finite))}")
        for name, array, dtype in (
            ("labels", self.labels, np.int64),
            ("is_test", self.is_test, np.bool_),
        ):
            if array is not None and (array.dtype != dtype or array.shape != (len(x),)):
                kind = np.dtype(dtype)
                raise UserError(f"{name} should be {kind} ({len(x)},) as x, {_found(array)}")


def joined(
    x: np.ndarray, labels: np.ndarray, test_x: np.ndarray, test_labels: np.ndarray
) -> Dataset:
    """One dataset of a training set and a test set, in this order."""
    return Dataset(
        x=np.concatenate([x, test_x]),
        labels=np.concatenate([labels, test_labels]).astype(np.int64),
        is_test=np.repeat([False, True], [len(x), len(test_x)]),
    )


def _found(array: np.ndarray) -> str:
    return f"found {array.dtype} {array.shape}"
