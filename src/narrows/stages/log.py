"""What MLflow is told of an encoder, a baseline as well as an autoencoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from narrows import tracking
from narrows.rendering import figures
from narrows.store import encoders as stored
from narrows.store.rows import Attempt

COSTS = ("seconds", "n_parameters", "epochs_run", "best_epoch")


def log_encoder(
    run: tracking.Run,
    attempt: Attempt,
    codes: np.ndarray,
    samples: Mapping[str, np.ndarray],
    train: Mapping[str, Any],
) -> None:
    """Logs errors and costs, reconstructions, a histogram of the codes, and config.json.

    Args:
        codes: (N, D) of all samples.
        samples: x, noisy and reconstruction, as in samples.npz.
        train: what train.json says.
    """
    run.log_metrics(metrics(train))
    log_picture(run, "reconstructions", samples, step=0)
    run.log_image("code_histogram", figures.to_array(figures.code_histogram(codes)), step=0)
    run.log_file(stored.config_file(attempt.folder))


def log_picture(run: tracking.Run, key: str, samples: Mapping[str, np.ndarray], step: int) -> None:
    """Logs x, noisy and reconstruction as one picture, where such samples can be drawn."""
    x, noisy, x_hat = (samples[name] for name in ("x", "noisy", "reconstruction"))
    if figures.can_be_drawn(x.shape[1:]):
        run.log_image(key, figures.reconstructions(x, noisy, x_hat), step=step)


def run_params(row: dict[str, Any], seed: int) -> dict[str, Any]:
    """What MLflow shows of a row; its `name` is called `kind` there, beside the run's own name.

    >>> run_params({"name": "plain", "code_size": 32}, seed=0)
    {'kind': 'plain', 'code_size': 32, 'seed': 0}
    """
    rest = {key: value for key, value in row.items() if key != "name"}
    return {"kind": row["name"], **rest, "seed": seed}


def metrics(train: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of train.json under their MLflow keys; undefined ones are left out.

    >>> metrics({"seconds": 2.5, "splits": {"val": {"mse": 0.25, "psnr": None}}})
    {'seconds': 2.5, 'val/mse': 0.25}
    """
    values = {name: float(train[name]) for name in COSTS if name in train}
    for split, errors in train["splits"].items():
        values |= {f"{split}/{k}": value for k, value in errors.items() if value is not None}
    return values
