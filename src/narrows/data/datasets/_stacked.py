"""Samples that come one after another, as one array on disk: they may not fit in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable

import numpy as np

from narrows.store import outputs


def stacked(parts: Iterable[np.ndarray]) -> np.ndarray | None:
    """Parts (n, ...) of one type and shape of a sample, in their order, as an array (N, ...) in a
    file without a name, which goes away with the array; None where there is no sample."""
    outputs.WORK.mkdir(exist_ok=True)
    n_samples, last = 0, None
    with tempfile.TemporaryFile(dir=outputs.WORK) as stream:
        for part in parts:
            stream.write(part.tobytes())
            n_samples, last = n_samples + len(part), part
        if last is None or not n_samples:
            return None
        stream.flush()
        return np.memmap(stream, last.dtype, "c", shape=(n_samples, *last.shape[1:]))
