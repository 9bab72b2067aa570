"""Places of pictures on the map of a gallery, and the order in which its sheets hold them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer

from narrows.clustering import umap
from narrows.data import blocks

MAX_FITTED = 10_000
"""Codes that the map is laid out by, at most; others come to the places of their neighbours."""
STEPS = 4096
"""Places a side: whole numbers are short in a page."""
PLANE = umap.Map(n_components=2, min_dist=0.1)


def places(codes: Float[np.ndarray, "N D"], seed: int = 0) -> Integer[np.ndarray, "N 2"]:
    """Places of the codes on the map, `layout`, from 0 to 4095, both axes on one scale."""
    plane = layout(codes, seed)
    low, high = plane.min(axis=0), plane.max(axis=0)
    side = float((high - low).max()) or 1.0
    centred = (plane - (low + high) / 2) / side + 0.5
    return np.rint(centred * (STEPS - 1)).astype(int)


def layout(codes: Float[np.ndarray, "N D"], seed: int = 0) -> Float[np.ndarray, "N 2"]:
    """Places of the codes in a UMAP of two dimensions.

    Codes of which only a few differ are on no map: their first two numbers are their places.
    """
    rows = blocks.subset(np.arange(len(codes)), MAX_FITTED, seed)
    z = np.ascontiguousarray(codes[rows])
    state, fitted = umap.fit_map(PLANE, z, seed)
    plane = fitted if len(rows) == len(codes) else umap.place(state, np.asarray(codes))
    return np.pad(plane[:, :2].astype(np.float64), ((0, 0), (0, max(0, 2 - plane.shape[1]))))


def along(plane: Integer[np.ndarray, "N 2"]) -> Integer[np.ndarray, " N"]:
    """The order (N,) in which a curve through the plane meets the places (Morton 1966), so that a
    sheet holds pictures that are near one another.

    >>> along(np.array([[3, 3], [0, 1], [2, 0], [1, 0], [0, 0]])).tolist()
    [4, 3, 1, 2, 0]
    """
    codes = np.zeros(len(plane), np.int64)
    for bit in range(STEPS.bit_length() - 1):
        for axis in range(2):
            codes |= (plane[:, axis].astype(np.int64) >> bit & 1) << (2 * bit + axis)
    return np.argsort(codes, kind="stable")
