"""How far values of a table lie outside the ranges that became 0 to 1: schema/beyond.npz.

Nearly all are 0, so a sparse matrix holds them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from narrows.errors import UserError
from narrows.store.files import atomic_write
from narrows.store.reading import existing

if TYPE_CHECKING:
    from scipy import sparse

FILE = "beyond.npz"


def write(folder: Path, beyond: np.ndarray) -> None:
    """Leaves (N, C) in a folder."""
    from scipy import sparse

    with atomic_write(folder / FILE) as partial:
        sparse.save_npz(partial, sparse.csr_array(beyond))


def read(folder: Path, shape: tuple[int, int]) -> sparse.csr_array:
    """The matrix (N, C) that `write` left.

    Raises:
        UserError: it is missing, damaged or of another shape.
    """
    from scipy import sparse

    file = existing(folder / FILE)
    try:
        beyond = sparse.csr_array(sparse.load_npz(file))
        beyond.check_format()
    except Exception as error:  # a header may claim anything
        message = " ".join(str(error).split())[:200]
        raise UserError(f"{file} is damaged ({message}); run `dvc repro -f prepare`") from None
    if beyond.shape != shape:
        raise UserError(f"{file} should be of shape {shape}, found {beyond.shape}; run `dvc repro`")
    return beyond
