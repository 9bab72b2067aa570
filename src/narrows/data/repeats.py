"""Samples that are equal: their codes have to be equal, too.

An encoder computes a batch at once, and the last bits of a code may depend on where in which batch
its sample lies. A clusterer would take equal samples for different ones.
"""

from __future__ import annotations

import hashlib

import numpy as np

from narrows.data.blocks import n_together
from narrows.data.on_disk import Samples


def first_equal(x: Samples) -> np.ndarray:
    """Row (N,) of the first sample that is equal to each of x (N, ...), which lie on the CPU.

    >>> import torch
    >>> first_equal(torch.tensor([[7.0, 1.0], [5.0, 1.0], [7.0, 1.0]])).tolist()
    [0, 1, 0]
    """
    digests, start = np.empty((len(x), 2), np.uint64), 0
    for batch in x.split(n_together(x.shape[1:])):
        samples = batch.flatten(1).contiguous().numpy()
        joined = b"".join(hashlib.blake2b(s, digest_size=16).digest() for s in samples)
        digests[start : start + len(batch)] = np.frombuffer(joined, np.uint64).reshape(-1, 2)
        start += len(batch)
    order = np.lexsort(digests.T)  # stable: of equal samples the first comes first
    in_order = digests[order]
    begins = np.full(len(x), True)  # of each set of equal ones, in this order
    begins[1:] = (in_order[1:] != in_order[:-1]).any(axis=1)
    first = np.empty(len(x), np.int64)
    first[order] = order[begins][np.cumsum(begins) - 1]
    return first


def equalise(codes: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The codes (N, D) themselves, in which each one is now that of `first_equal` (N,).

    >>> equalise(np.array([[1.0], [5.0], [1.1]]), np.array([0, 1, 0])).tolist()
    [[1.0], [5.0], [1.0]]
    """
    later = np.flatnonzero(first != np.arange(len(first)))
    codes[later] = codes[first[later]]
    return codes
