"""Stored samples as floats: one formula, equal to all that stood in its place."""

import numpy as np
import torch

from narrows.data.unit import to_unit


def test_arrays_and_tensors_get_the_same_bits() -> None:
    x = np.arange(256, dtype=np.uint8).reshape(2, 2, 8, 8)
    unit = to_unit(x)
    assert unit.dtype == np.float32
    assert np.array_equal(unit, to_unit(torch.from_numpy(x)).numpy())
    assert np.array_equal(unit, x / np.float32(255))
    assert np.array_equal(unit, x.astype(np.float32) / 255)
    assert x[1, 1, 7, 7] == 255


def test_floats_stay_as_they_are() -> None:
    table = np.array([[0.1, 1.0]], np.float32)
    assert np.array_equal(to_unit(table), table)
    assert to_unit(table) is not table
    assert to_unit(torch.from_numpy(table).double()).dtype == torch.float32
