"""What every encoder leaves behind, a baseline as well as an autoencoder."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor

from narrows.config.plugins import Plugin
from narrows.data import blocks, splits
from narrows.data.prepared import Prepared
from narrows.models import reconstruction
from narrows.models.autoencoder import to_unit

SSIM_PICTURES = 1_000  # of a split, evenly spaced: the mean moves by less than .01


class Samples(NamedTuple):
    """What every picture shows: clean, as the encoder saw them, decoded; (16, ...) in [0, 1]."""

    x: np.ndarray
    noisy: np.ndarray
    reconstruction: np.ndarray


def config(key: str, kind: str, row: dict[str, Any], data: Prepared) -> dict[str, Any]:
    """What config.json says: enough to build the encoder again and to know its data."""
    return {
        "key": key,
        "kind": kind,
        "row": row,
        "dataset": data.name,
        "data_digest": data.digest,
        "input_shape": list(data.x.shape[1:]),
        "n_samples": len(data.x),
    }


def of_baseline(row: Plugin, data: Prepared, seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """What a baseline learns from train samples, and its codes (N, D) of all samples."""

    def flat(x: Tensor) -> np.ndarray:
        return to_unit(x).flatten(1).numpy()

    state: dict[str, Any] = row.module.fit(row.config, flat(data.few("train")), seed)
    batches = data.all().split(blocks.n_together(data.x.shape[1:]))
    return state, np.concatenate([row.module.encode(state, flat(x)) for x in batches])


def errors_by_split(
    reconstruct: Callable[[Tensor], Tensor], data: Prepared
) -> dict[str, dict[str, float | None]]:
    """mse, bce, psnr and ssim of clean samples on train, val and test.

    Args:
        reconstruct: samples (N, ...) as stored, to reconstructions (N, ...) in [0, 1].
    """
    found: dict[str, dict[str, float | None]] = {}
    for name in splits.NAMES:
        samples = data.rows(name)
        mse = bce = 0.0
        for batch in samples.split(blocks.n_together(data.x.shape[1:])):
            x, x_hat = to_unit(batch), reconstruct(batch).cpu()
            mse += len(batch) / len(samples) * reconstruction.mse(x, x_hat)
            bce += len(batch) / len(samples) * reconstruction.bce(x, x_hat)
        few = samples[:: math.ceil(len(samples) / SSIM_PICTURES)]
        found[name] = {
            "mse": mse,
            "bce": bce,
            "psnr": reconstruction.psnr(mse),
            "ssim": reconstruction.ssim(to_unit(few), reconstruct(few).cpu()),
        }
    return found


def save(
    folder: Path,
    config: dict[str, Any],
    codes: Float[np.ndarray, "N D"],
    samples: Samples,
    train: dict[str, Any],
) -> None:
    """Writes config.json, codes.npy, samples.npz and train.json into the folder.

    Args:
        codes: of all samples, in the order of x.npy.
        train: cost and errors; see README, "What a stage leaves".
    """
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    np.save(folder / "codes.npy", codes.astype(np.float32, copy=False))
    np.savez(
        folder / "samples.npz",
        x=samples.x,
        noisy=samples.noisy,
        reconstruction=samples.reconstruction,
    )
    (folder / "train.json").write_text(json.dumps(train, indent=2) + "\n")


def write_history(file: Path, history: list[dict[str, float]]) -> None:
    """One line an epoch or update; what the first ones do not have is an empty cell."""
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(history[-1]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


def run_params(row: dict[str, Any], seed: int) -> dict[str, Any]:
    """What MLflow shows of a row; its `name` is called `kind` there, beside the run's own name.

    >>> run_params({"name": "plain", "code_size": 32}, seed=0)
    {'kind': 'plain', 'code_size': 32, 'seed': 0}
    """
    rest = {key: value for key, value in row.items() if key != "name"}
    return {"kind": row["name"], **rest, "seed": seed}


def metrics(train: dict[str, Any]) -> dict[str, float]:
    """The numbers of train.json under their MLflow keys; undefined ones are left out.

    >>> metrics({"seconds": 2.5, "splits": {"val": {"mse": 0.25, "psnr": None}}})
    {'seconds': 2.5, 'val/mse': 0.25}
    """
    names = ("seconds", "n_parameters", "epochs_run", "best_epoch")
    told = {name: float(train[name]) for name in names if name in train}
    for split, found in train["splits"].items():
        told |= {f"{split}/{k}": value for k, value in found.items() if value is not None}
    return told
