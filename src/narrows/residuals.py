"""What an encoder's reconstruction leaves of each sample, from what its stage left on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows import params
from narrows.errors import UserError
from narrows.model import reconstruct_all, restored, to_unit

BATCH = 1024
Reconstruct = Callable[[Tensor], Tensor]  # samples (B, ...) as stored, to x_hat (B, ...)


def errors(artifacts: Path, encoder: str, x: np.ndarray) -> np.ndarray:
    """Mean squared error (N,) of each sample, per value, pictures in [0, 1].

    Args:
        artifacts: artifacts/<dataset>.
        encoder: key of a row of `baselines`, `autoencoders` or `searches`.
        x: samples (N, ...) as in data/<dataset>/x.npy; it may be memory-mapped.

    Raises:
        UserError: a file of the encoder is missing, or it was made for samples of another shape.
    """
    errors = [
        (to_unit(stored) - x_hat).flatten(1).square().mean(dim=1).numpy()
        for stored, x_hat in _pairs(artifacts, encoder, x)
    ]
    return np.concatenate(errors)


def reconstructed(artifacts: Path, encoder: str, x: np.ndarray) -> np.ndarray:
    """Reconstructions, float32 (N, ...), pictures in [0, 1]; arguments and errors as `errors`."""
    return np.concatenate([x_hat.numpy() for _, x_hat in _pairs(artifacts, encoder, x)])


def _pairs(artifacts: Path, encoder: str, x: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
    """Samples as stored and their reconstructions, batch by batch, so that memory stays small."""
    folder = artifacts / "encoders" / encoder
    config = json.loads(_existing(folder / "config.json").read_text(encoding="utf-8"))
    if (shape := tuple(config["input_shape"])) != x.shape[1:]:
        raise UserError(
            f"{folder} encodes samples of shape {shape}, found {x.shape[1:]}; run `dvc repro`"
        )
    reconstruct = (_baseline if config["kind"] == "baseline" else _trained)(folder, config)
    for start in range(0, len(x), BATCH):
        stored = torch.from_numpy(np.array(x[start : start + BATCH]))
        yield stored, reconstruct(stored)


def _baseline(folder: Path, config: dict[str, Any]) -> Reconstruct:
    row = params.plugin("baselines", config["row"]).module
    with np.load(_existing(folder / "state.npz"), allow_pickle=False) as arrays:
        state = dict(arrays)

    def reconstruct(x: Tensor) -> Tensor:
        x_hat = row.decode(state, row.encode(state, to_unit(x).flatten(1).numpy()))
        return torch.from_numpy(x_hat.astype(np.float32, copy=False)).reshape(x.shape)

    return reconstruct


def _trained(folder: Path, config: dict[str, Any]) -> Reconstruct:
    weights = torch.load(_existing(folder / "weights.pt"), weights_only=True, map_location="cpu")
    row = params.plugin("autoencoders", config["row"])
    model = restored(row, tuple(config["input_shape"]), weights)
    return lambda x: reconstruct_all(model, x)


def _existing(file: Path) -> Path:
    if not file.exists():
        raise UserError(f"{file} is missing; run `dvc repro`")
    return file
