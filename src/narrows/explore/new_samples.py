"""New files of a user as a finished row's encoder takes them: as samples, or as features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from narrows.data import new_files
from narrows.data.new_files import NewSamples, Piece
from narrows.store import features
from narrows.store.encoders import StoredEncoder
from narrows.store.reading import read_schema


def read(
    paths: Sequence[Path],
    data: Path,
    like: np.ndarray,
    artifacts: Path,
    encoder: StoredEncoder,
    device: str,
) -> tuple[NewSamples, np.ndarray]:
    """Samples of all paths, and the same as the encoder takes them.

    Args:
        data: data/<dataset>, or a model's folder with its schema.
        like: the x.npy there.
        artifacts: artifacts/<dataset>, or the model's folder.
        device: auto, cpu, cuda or mps.

    Raises:
        UserError: as `new_files.read` and `features.of_new` do.
    """
    new_files.check(paths)
    pieces = [Piece(path) for path in paths]
    return read_pieces(pieces, data, like, artifacts, encoder, device)


def read_pieces(
    pieces: Sequence[Piece],
    data: Path,
    like: np.ndarray,
    artifacts: Path,
    encoder: StoredEncoder,
    device: str,
) -> tuple[NewSamples, np.ndarray]:
    """The same of files and folders, or parts of them."""
    taken = features.of_encoder(artifacts, encoder.config)
    new = new_files.read_pieces(pieces, data, like, is_x_used=taken is None)
    if taken is None:
        return new, new.x
    from narrows.models.features import of_new

    return new, of_new(taken, read_schema(data), new, device)
