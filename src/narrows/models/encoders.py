"""What baselines and autoencoders share: what they are, and what they lose of a sample."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.config.plugins import Plugin
from narrows.data import blocks, splits
from narrows.data.on_disk import Samples
from narrows.data.prepared import Prepared
from narrows.data.repeats import equalise, first_equal
from narrows.data.unit import to_unit
from narrows.models import reconstruction
from narrows.models.autoencoder import Autoencoder, corrupt, reconstruct_all
from narrows.models.baselines._base import Baseline

SSIM_PICTURES = 1_000  # of a split, evenly spaced: the mean moves by less than .01


def config(key: str, kind: str, row: dict[str, Any], data: Prepared) -> dict[str, Any]:
    """The content of config.json: enough to build the encoder again and to know its data."""
    return {
        "key": key,
        "kind": kind,
        "row": row,
        "dataset": data.name,
        "data_digest": data.digest,
        "input": data.input,
        "input_shape": list(data.x.shape[1:]),
        "n_samples": len(data.x),
    }


def fit_baseline(
    row: Plugin, data: Prepared, seed: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The state that a baseline learns from train samples, and its codes (N, D) of all samples."""
    state, samples = baseline_state(row, data, seed), data.in_order()
    return state, equalise(_encoded(row, state, samples), first_equal(samples))


def _encoded(row: Plugin, state: dict[str, np.ndarray], samples: Samples) -> np.ndarray:
    """A baseline's codes (N, D) of samples as stored, in one array from the start."""
    baseline: Baseline = row.module
    size = blocks.n_together(samples.shape[1:])
    head = baseline.encode(state, _flat(samples[:size]))
    codes = np.empty((len(samples), *head.shape[1:]), head.dtype)
    for start, x in zip(range(0, len(samples), size), samples.split(size), strict=True):
        codes[start : start + size] = baseline.encode(state, _flat(x))
    return codes


def baseline_state(row: Plugin, data: Prepared, seed: int) -> dict[str, np.ndarray]:
    """The arrays by name that a baseline learns from train samples."""
    baseline: Baseline = row.module
    return baseline.fit(row.config, _flat(data.in_memory("train")), seed)


def _flat(x: Tensor) -> np.ndarray:
    return to_unit(x).flatten(1).numpy()


def pictures(
    row: Plugin, data: Prepared, seed: int
) -> Callable[[Autoencoder], dict[str, np.ndarray]]:
    """What a model makes of the validation samples that every picture shows, under the row's
    corruption: x, noisy and reconstruction, (16, ...) each, in [0, 1]."""
    x = to_unit(data.view())
    noisy = corrupt(row.config.corruption, x, torch.Generator().manual_seed(seed))

    def view(model: Autoencoder) -> dict[str, np.ndarray]:
        x_hat = reconstruct_all(model, noisy)
        return {"x": x.numpy(), "noisy": noisy.numpy(), "reconstruction": x_hat.numpy()}

    return view


def errors_by_split(
    reconstruct: Callable[[Tensor], Tensor], data: Prepared
) -> dict[str, dict[str, float | None]]:
    """`errors` of clean samples on train, val and test."""
    return {name: errors(reconstruct, data.in_order(name)) for name in splits.NAMES}


def errors(reconstruct: Callable[[Tensor], Tensor], samples: Samples) -> dict[str, float | None]:
    """mse and bce per value, psnr in dB and ssim of samples (N, ...) as stored.

    Args:
        reconstruct: samples (N, ...) as stored, to reconstructions (N, ...) in [0, 1].
    """
    mse = bce = 0.0
    for batch in samples.split(blocks.n_together(samples.shape[1:])):
        x, x_hat = to_unit(batch), reconstruct(batch).cpu()
        mse += len(batch) / len(samples) * reconstruction.mse(x, x_hat)
        bce += len(batch) / len(samples) * reconstruction.bce(x, x_hat)
    part = samples[:: math.ceil(len(samples) / SSIM_PICTURES)]
    return {
        "mse": mse,
        "bce": bce,
        "psnr": reconstruction.psnr(mse),
        "ssim": reconstruction.ssim(to_unit(part), reconstruct(part).cpu()),
    }
