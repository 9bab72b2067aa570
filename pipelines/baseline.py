"""Stage baseline@<key>: fits one encoder that needs no training -> artifacts/.../encoders/<key>."""

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from narrows import errors, tracking
from narrows.config import params
from narrows.config.plugins import resolved
from narrows.data import prepared
from narrows.models import encoding
from narrows.models.autoencoder import to_unit
from narrows.rendering import figures
from narrows.store import work


def main(key: str) -> None:
    p = params.load()
    row = params.select(p.baselines, key, "baselines")
    data = prepared.read(p.dataset.name)
    config = encoding.config(key, "baseline", resolved(row), data)
    fingerprint = work.fingerprint("baseline", key, [p.seed, config["row"]], data.digest)

    with (
        work.output(Path("artifacts", data.name, "encoders", key)) as folder,
        tracking.start(
            key,
            fingerprint,
            tracking.Data(data.name, data.digest, data.x.shape),
            {"stage": "baseline", "autoencoder": key},
        ) as run,
    ):
        run.log_params(encoding.run_params(config["row"], p.seed))
        began = time.perf_counter()
        state, codes = encoding.of_baseline(row, data, p.seed)
        seconds = time.perf_counter() - began

        def reconstruct(x: Tensor) -> Tensor:
            z = row.module.encode(state, to_unit(x).flatten(1).numpy())
            x_hat = row.module.decode(state, z)
            return torch.from_numpy(x_hat).float().reshape(x.shape)

        shown = data.shown()
        x = to_unit(shown).numpy()
        samples = encoding.Samples(x, x, reconstruct(shown).numpy())
        train = {
            "fingerprint": fingerprint,
            "seed": p.seed,
            "code_size": codes.shape[1],
            "n_parameters": sum(array.size for array in state.values()),
            "epochs_run": 0,
            "best_epoch": 0,
            "seconds": seconds,
            "splits": encoding.errors_by_split(reconstruct, data),
        }
        np.savez(folder / "state.npz", **state)
        encoding.save(folder, config, codes, samples, train)
        run.log_metrics(encoding.metrics(train))
        run.log_image("reconstructions", figures.reconstructions(*samples), step=0)
        histogram = figures.to_array(figures.code_histogram(codes))
        run.log_image("code_histogram", histogram, step=0)
        run.log_file(folder / "config.json")


if __name__ == "__main__":
    errors.run(main)
