"""Samples as they are stored -> samples as they are computed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

X = TypeVar("X", np.ndarray, "torch.Tensor")
WHITE = 255
"""Largest value of a stored picture."""


def to_unit(x: X) -> X:
    """uint8 pictures (B, ...) as float32 in [0, 1]; anything else as it is, in float32.

    Arrays and tensors on a CPU get the same values to the last bit.

    >>> to_unit(np.array([[0, 51, 255]], np.uint8)).tolist()
    [[0.0, 0.20000000298023224, 1.0]]
    """
    if isinstance(x, np.ndarray):
        values = x.astype(np.float32)
        return np.divide(values, WHITE, out=values) if x.dtype == np.uint8 else values
    import torch  # prepare, which has arrays, does not wait for it

    return x.float().div_(WHITE) if x.dtype == torch.uint8 else x.float()
