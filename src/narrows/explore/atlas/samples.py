"""What a sample is, as columns of a file: its picture, its text, or the columns of its table."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from narrows.data import blocks, table_frame
from narrows.data.datasets._base import Original
from narrows.rendering import sprites

if TYPE_CHECKING:
    import pyarrow as pa
    from scipy import sparse

Columns = Callable[[slice], "dict[str, pa.Array]"]
"""Columns by name of consecutive samples. Their types are the same for any of them."""
IMAGE, TEXT = "image", "text"
SURROGATES = re.compile("[\ud800-\udfff]")  # of what was no UTF-8, which a file cannot hold


def strings(words: Sequence[Any]) -> pa.Array:
    """Words as a column; None or NaN is a gap, what was no UTF-8 the replacement character."""
    import pyarrow as pa

    valid = (SURROGATES.sub("\ufffd", w) if isinstance(w, str) else None for w in words)
    return pa.array(valid, pa.string())


def pictures(x: np.ndarray) -> Columns:
    """Pictures uint8 (N, C, H, W) as the bytes of PNGs, in the column `IMAGE`."""

    def columns(rows: slice) -> dict[str, pa.Array]:
        import pyarrow as pa

        kind = pa.struct([("bytes", pa.binary())])
        pngs = [{"bytes": _png(sample)} for sample in x[rows]]
        blocks.forget(x)
        return {IMAGE: pa.array(pngs, kind)}

    return columns


def texts(originals: Sequence[Original]) -> Columns:
    """Documents as they are read, in the column `TEXT`."""
    return lambda rows: {TEXT: strings([str(original.read(0)) for original in originals[rows]])}


def table(
    x: np.ndarray,
    columns: Sequence[Mapping[str, Any]],
    beyond: sparse.csr_array,
    taken: Sequence[str],
) -> Columns:
    """Rows of a table in the user's own units and words.

    Args:
        x: features (N, D) of the rows.
        columns: those of the schema that became features.
        beyond: how far values lie outside what became 0 to 1, (N, C).
        taken: names of other columns of the file; a column of the table that is called like one of
            them gets an underscore behind its name.
    """
    names: list[str] = []
    for column in columns:
        names.append(free(column["name"], [*taken, *names]))

    def by_name(rows: slice) -> dict[str, pa.Array]:
        frame = table_frame.decoded(x[rows], list(map(dict, columns)), beyond[rows].toarray())
        return {
            name: _values(frame[column["name"]].to_numpy(), column["kind"])
            for name, column in zip(names, columns, strict=True)
            if column["kind"] != "text"  # x has no words of it
        }

    return by_name


def free(name: str, taken: Sequence[str]) -> str:
    """The name, with as many underscores behind it as no other has.

    >>> free("cluster", ["name", "cluster"]), free("age", ["name"])
    ('cluster_', 'age')
    """
    while name in taken:
        name += "_"
    return name


def _values(values: np.ndarray, kind: str) -> pa.Array:
    import pyarrow as pa

    if kind == "categorical":
        return strings(values.tolist())
    return pa.array(
        values, pa.timestamp("ms") if kind == "date" else pa.float64(), from_pandas=True
    )


def _png(sample: np.ndarray) -> bytes:
    """Small pictures are enlarged by a whole number, because pages display them pixel by pixel."""
    picture, stream = sprites.picture(sample), io.BytesIO()
    times = max(1, sprites.MAX_SIDE // max(picture.size))
    width, height = (times * side for side in picture.size)
    picture.resize((width, height), Image.Resampling.NEAREST).save(stream, "PNG")
    return stream.getvalue()
