"""How a row of `baselines:` is computed: fitted on the train split, all samples encoded."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from narrows import tracking
from narrows.config.plugins import Plugin, resolved
from narrows.data import prepared
from narrows.data.unit import to_unit
from narrows.models import encoders
from narrows.stages import log
from narrows.stages.runner import Setting
from narrows.store import encoders as stored
from narrows.store.rows import Attempt


def fit(setting: Setting, key: str, row: Plugin, attempt: Attempt) -> None:
    """Fits the baseline, writes it into the attempt's folder, and logs it."""
    data = prepared.read(setting.dataset, row.config.input)
    config = encoders.config(key, "baseline", resolved(row), data)
    tags = {"stage": "baseline", "autoencoder": key}
    run_data = tracking.RunData(data.name, data.digest, data.x.shape)
    with setting.run(key, attempt.identity, run_data, tags) as run:
        run.log_params(log.run_params(config["row"], setting.seed))
        began = time.perf_counter()
        state, codes = encoders.fit_baseline(row, data, setting.seed)
        seconds = time.perf_counter() - began

        def reconstruct(x: Tensor) -> Tensor:
            z = row.module.encode(state, to_unit(x).flatten(1).numpy())
            return torch.from_numpy(row.module.decode(state, z)).float().reshape(x.shape)

        view = data.view()
        x = to_unit(view).numpy()
        samples = {"x": x, "noisy": x, "reconstruction": reconstruct(view).numpy()}
        train = {
            "seed": setting.seed,
            "code_size": codes.shape[1],
            "n_parameters": sum(array.size for array in state.values()),
            "epochs_run": 0,
            "best_epoch": 0,
            "seconds": seconds,
            "splits": encoders.errors_by_split(reconstruct, data),
        }
        stored.write_state(attempt.folder, state)
        stored.write(attempt.folder, config, codes, samples, train)
        log.log_encoder(run, attempt, codes, samples, train)
