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
    digests = [
        hashlib.blake2b(sample, digest_size=16).digest()
        for batch in x.split(n_together(x.shape[1:]))
        for sample in batch.flatten(1).contiguous().numpy()
    ]
    _, first, sets = np.unique(np.array(digests, "V16"), return_index=True, return_inverse=True)
    return np.asarray(first[sets])
