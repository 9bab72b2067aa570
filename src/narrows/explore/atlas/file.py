"""The Parquet file of a clustering: a row group at a time, so that pictures need no memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from narrows.data import blocks
from narrows.explore.atlas.samples import Columns
from narrows.rendering import progress
from narrows.store.files import atomic_write

if TYPE_CHECKING:
    import pyarrow as pa

X, Y, NEIGHBORS = "projection_x", "projection_y", "neighbors"
N_NEIGHBORS = 12


def write(file: Path, n: int, parts: Sequence[Columns]) -> None:
    """Writes the columns of all parts, which have other names each, for samples 0 to n - 1."""
    import pyarrow as pa
    from pyarrow import parquet

    groups = [slice(start, min(start + blocks.BLOCK, n)) for start in range(0, n, blocks.BLOCK)]

    def batch(rows: slice) -> pa.RecordBatch:
        return pa.record_batch({k: v for part in parts for k, v in part(rows).items()})

    with (
        atomic_write(file) as partial,
        parquet.ParquetWriter(partial, batch(slice(0, 0)).schema) as writer,
    ):
        for rows in progress.counted("row groups", groups, len(groups)):
            writer.write_batch(batch(rows))


def places(
    plane: Float[np.ndarray, "N 2"],
    codes: Float[np.ndarray, "N D"],
    nearest: Integer[np.ndarray, "N K"],
) -> Columns:
    """Places on the map, and the samples with the nearest codes.

    Args:
        plane: places of the samples.
        codes: their codes, which the distances are of.
        nearest: rows of the samples with the nearest codes, nearest first.
    """

    def columns(rows: slice) -> dict[str, pa.Array]:
        import pyarrow as pa

        ids, own = nearest[rows], np.asarray(codes[rows])
        distances = np.linalg.norm(codes[ids] - own[:, None], axis=2)
        kind = pa.struct([("ids", pa.list_(pa.int64())), ("distances", pa.list_(pa.float32()))])
        pairs = zip(ids.tolist(), distances.tolist(), strict=True)
        return {
            X: pa.array(plane[rows, 0], pa.float32()),
            Y: pa.array(plane[rows, 1], pa.float32()),
            NEIGHBORS: pa.array([{"ids": i, "distances": d} for i, d in pairs], kind),
        }

    return columns
