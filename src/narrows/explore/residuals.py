"""What an encoder's reconstruction leaves of each sample, from what its stage left on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from narrows.clustering import saved
from narrows.data import blocks
from narrows.data.unit import to_unit
from narrows.errors import UserError
from narrows.store import features


def errors(artifacts: Path, encoder: str, x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Mean squared error (n,) of some samples, per value, pictures in [0, 1].

    Args:
        artifacts: artifacts/<dataset>.
        encoder: key of a row of `baselines`, `autoencoders` or `searches`.
        x: all samples (N, ...) as in data/<dataset>/x.npy; it may be memory-mapped. An encoder of
            features takes those instead.
        rows: (n,), of the samples whose error it is.

    Raises:
        UserError: a file of the encoder is missing, or it was made for samples of another shape.
    """
    errors = [
        np.square(to_unit(stored).numpy() - x_hat).reshape(len(x_hat), -1).mean(axis=1)
        for stored, x_hat in _pairs(artifacts, encoder, x, rows)
    ]
    return np.concatenate(errors)


def reconstructed(artifacts: Path, encoder: str, x: np.ndarray) -> np.ndarray:
    """Reconstructions of all samples, float32 (N, ...), pictures in [0, 1]; arguments and errors
    as `errors`."""
    pairs = _pairs(artifacts, encoder, x, np.arange(len(x)))
    return np.concatenate([x_hat for _, x_hat in pairs])


def _pairs(
    artifacts: Path, encoder: str, x: np.ndarray, rows: np.ndarray
) -> Iterator[tuple[Tensor, np.ndarray]]:
    """Samples as stored and their reconstructions, batch by batch, so that memory stays small."""
    folder = artifacts / "encoders" / encoder
    config, encode, decode = saved.coder(folder)
    x = features.input_of(artifacts, config, x)
    if (shape := tuple(config["input_shape"])) != x.shape[1:]:
        raise UserError(
            f"{folder} encodes samples of shape {shape}, found {x.shape[1:]}; run `dvc repro`"
        )
    for own in blocks.blocks(rows, blocks.n_together(shape)):
        stored = torch.from_numpy(x[own])
        blocks.forget(x)
        yield stored, decode(encode(stored)).astype(np.float32, copy=False)
