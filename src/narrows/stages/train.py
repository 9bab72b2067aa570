"""How a row of `autoencoders:` is computed: trained, all samples encoded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from narrows import tracking
from narrows.config.plugins import Plugin, resolved
from narrows.data import prepared
from narrows.data.prepared import Prepared
from narrows.data.repeats import equalise, first_equal
from narrows.errors import UserError, say
from narrows.models import encoders
from narrows.models.autoencoder import (
    Autoencoder,
    cpu_weights,
    encode_all,
    reconstruct_all,
    restored,
)
from narrows.models.devices import device_named
from narrows.stages import log
from narrows.stages.runner import Setting
from narrows.store import encoders as stored
from narrows.store.rows import Attempt
from narrows.training import fitting
from narrows.training.fitting import Fitted
from narrows.training.lightning import Processes

Samples = dict[str, np.ndarray]


def train(
    setting: Setting, key: str, row: Plugin, machines: Mapping[str, Any], attempt: Attempt
) -> None:
    """Trains the autoencoder, writes it into the attempt's folder, and logs it.

    Of several processes that train it together, each calls this; the leading one writes and logs,
    and says what went wrong, the others end when they have done their share.

    Args:
        machines: values of `Processes`.
    """
    data = prepared.read(setting.dataset, row.config.input)
    processes = Processes(**machines)

    def fit(after_epoch: Callable[..., None]) -> Fitted:
        return fitting.fit(
            row,
            data.samples("train"),
            data.samples("val"),
            seed=setting.seed,
            device=setting.device,
            work=attempt.checkpoints,
            on_epoch=after_epoch,
            processes=processes,
        )

    if not processes.leads:
        fit(fitting.quiet)  # ends this process
    config = encoders.config(key, "autoencoder", resolved(row), data)
    view = encoders.pictures(row, data, setting.seed)
    tags = {"stage": "train", "autoencoder": key}
    run_data = tracking.RunData(data.name, data.digest, data.x.shape)
    resumes = attempt.checkpoints.exists()
    with setting.run(key, attempt.identity, run_data, tags, resumes) as run:
        run.log_params(log.run_params(config["row"], setting.seed))
        try:
            fitted = fit(on_epoch(run, key, view) if setting.is_logged else fitting.quiet)
        except UserError as error:
            raise UserError(f"params.yaml: autoencoders.{key}: {error}") from None
        write(attempt, config, fitted, view(fitted.model), data, setting.seed)
        log_training(run, attempt)


def on_epoch(
    run: tracking.Run, key: str, view: Callable[[Autoencoder], Samples]
) -> Callable[..., None]:
    """What is logged and printed after an epoch of the row, or of a layer trained before."""

    def after(epoch: int, metrics: dict[str, float], model: Autoencoder, layer: int = 0) -> None:
        if layer == 0:
            run.log_metrics(metrics, step=epoch)
        if epoch not in fitting.PICTURE_EPOCHS:
            return
        if layer == 0:
            log.log_picture(run, "reconstructions_by_epoch", view(model), step=epoch)
        if metrics:
            part = f"layer {layer}, " if layer else ""
            message = f"{part}epoch {epoch}, val/loss {metrics['val/loss']:.4f}"
            say(f"encode: {key}: {message}")

    return after


def write(
    attempt: Attempt,
    config: dict[str, Any],
    fitted: Fitted,
    samples: Samples,
    data: Prepared,
    seed: int,
) -> None:
    """Encodes all samples and writes what a trained row leaves."""
    model, phases = fitted.model, (*fitted.layers, fitted)
    x = data.in_order()
    codes = equalise(encode_all(model, x), first_equal(x))
    train = {
        "precision": fitted.precision,
        "seed": seed,
        "code_size": codes.shape[1],
        "n_parameters": sum(weight.numel() for weight in model.parameters()),
        "epochs_run": sum(len(phase.history) for phase in phases),
        "best_epoch": fitted.best_epoch,
        "seconds": sum(phase.seconds for phase in phases),
        "splits": encoders.errors_by_split(lambda x: reconstruct_all(model, x), data),
    }
    stored.write(attempt.folder, config, codes, samples, train)
    weights = cpu_weights(model)
    layers = [layer.history for layer in fitted.layers]
    stored.write_trained(attempt.folder, weights, fitted.history, layers)


def log_training(run: tracking.Run, attempt: Attempt) -> None:
    """Logs what `write` wrote."""
    done = stored.StoredEncoder(attempt.folder)
    run.log_params({"precision": done.train["precision"]})
    log.log_encoder(run, attempt, done.codes, done.samples, done.train)
    for file in stored.history_files(attempt.folder):
        run.log_file(file)


def train_seeds(
    setting: Setting, key: str, row: Plugin, seeds: tuple[int, ...], attempt: Attempt
) -> None:
    """Trains the autoencoder from several seeds as one batch of models and writes their weights."""
    from narrows.training import many_seeds

    data = prepared.read(setting.dataset, row.config.input)
    train, val = data.samples("train"), data.samples("val")
    try:
        fitted = many_seeds.fit_together(
            row, train, val, seeds=seeds, work=attempt.checkpoints, device=setting.device
        )
    except UserError as error:
        raise UserError(f"params.yaml: autoencoders.{key}: {error}") from None
    for seed, model in zip(seeds, fitted, strict=True):
        record = {
            "history": model.history,
            "best_epoch": model.best_epoch,
            "seconds": model.seconds,
            "precision": model.precision,
        }
        stored.write_seed(attempt.folder, seed, cpu_weights(model.model), record)
    say(f"seeds: {key} from {len(seeds)} seeds at once")


def encode_seed(setting: Setting, key: str, row: Plugin, batch: Path, attempt: Attempt) -> None:
    """Writes what `train` would leave from one of the seeds that `train_seeds` has trained."""
    data = prepared.read(setting.dataset, row.config.input)
    weights, record = stored.read_seed(batch, setting.seed)
    model = restored(row, data.x.shape[1:], weights).to(device_named(setting.device))
    config = encoders.config(key, "autoencoder", resolved(row), data)
    samples = encoders.pictures(row, data, setting.seed)(model)
    write(attempt, config, Fitted(model, **record), samples, data, setting.seed)
