"""Stage train@<key>: fits one autoencoder, encodes all samples -> artifacts/.../encoders/<key>."""

import contextlib
import shutil
from pathlib import Path

import torch

from narrows import errors, tracking
from narrows.config import params
from narrows.config.plugins import resolved
from narrows.data import prepared
from narrows.models import encoding
from narrows.models.autoencoder import Autoencoder, corrupt, encode_all, reconstruct_all, to_unit
from narrows.rendering import figures
from narrows.store import work
from narrows.training import fitting, lightning


def main(key: str) -> None:
    p = params.load()
    row = params.select(p.autoencoders, key, "autoencoders")
    data = prepared.read(p.dataset.name)
    train_x, val_x = data.rows("train"), data.rows("val")
    processes = lightning.Processes(p.devices, p.num_nodes)
    config = encoding.config(key, "autoencoder", resolved(row), data)
    fingerprint = work.fingerprint("train", key, [p.seed, config["row"]], data.digest)
    checkpoints = work.checkpoints("train", fingerprint)

    if not processes.leads:  # it computes its share and leaves writing, and errors, to the other
        with contextlib.suppress(errors.UserError):
            fitting.fit(
                row, train_x, val_x, p.seed, p.device, checkpoints, fitting.quiet, processes
            )
        return

    x = to_unit(data.shown())
    noisy = corrupt(row.config.corruption, x, torch.Generator().manual_seed(p.seed))

    def shown(model: Autoencoder) -> encoding.Samples:
        x_hat = reconstruct_all(model, noisy.to(fitting.device_of(model))).cpu()
        return encoding.Samples(x.numpy(), noisy.numpy(), x_hat.numpy())

    with (
        work.output(Path("artifacts", data.name, "encoders", key)) as folder,
        tracking.start(
            key,
            fingerprint,
            tracking.Data(data.name, data.digest, data.x.shape),
            {"stage": "train", "autoencoder": key},
            resumes=checkpoints.exists(),
        ) as run,
    ):
        run.log_params(encoding.run_params(config["row"], p.seed))

        def on_epoch(
            epoch: int, metrics: dict[str, float], model: Autoencoder, layer: int = 0
        ) -> None:
            if layer == 0:
                run.log_metrics(metrics, step=epoch)
            if epoch not in fitting.PICTURE_EPOCHS:
                return
            if layer == 0:
                grid = figures.reconstructions(*shown(model))
                run.log_image("reconstructions_by_epoch", grid, step=epoch)
            if metrics:
                of = f"layer {layer}, " if layer else ""
                told = f"train@{key}: {of}epoch {epoch}, val/loss {metrics['val/loss']:.4f}"
                print(told, flush=True)

        try:
            fitted = fitting.fit(
                row, train_x, val_x, p.seed, p.device, checkpoints, on_epoch, processes
            )
        except errors.UserError as error:
            raise errors.UserError(f"params.yaml: autoencoders.{key}: {error}") from None
        model, phases = fitted.model, (*fitted.layers, fitted)
        codes = encode_all(model, data.all())
        samples = shown(model)
        train = {
            "fingerprint": fingerprint,
            "precision": fitted.precision,
            "seed": p.seed,
            "code_size": codes.shape[1],
            "n_parameters": sum(weight.numel() for weight in model.parameters()),
            "epochs_run": sum(len(phase.history) for phase in phases),
            "best_epoch": fitted.best_epoch,
            "seconds": sum(phase.seconds for phase in phases),
            "splits": encoding.errors_by_split(lambda x: reconstruct_all(model, x), data),
        }
        encoding.save(folder, config, codes, samples, train)
        torch.save(model.state_dict(), folder / "weights.pt")
        if key in p.searches:
            shutil.copy(Path("artifacts", data.name, "tuned", key, "trials.json"), folder)
        encoding.write_history(folder / "history.csv", fitted.history)
        for i, layer in enumerate(fitted.layers, start=1):
            encoding.write_history(folder / f"history-layer-{i}.csv", layer.history)

        run.log_params({"precision": train["precision"]})
        run.log_metrics(encoding.metrics(train))
        run.log_image("reconstructions", figures.reconstructions(*samples), step=0)
        run.log_image("code_histogram", figures.to_array(figures.code_histogram(codes)), step=0)
        run.log_file(folder / "config.json")
        for file in sorted(folder.glob("history*.csv")):
            run.log_file(file)
    shutil.rmtree(checkpoints)


if __name__ == "__main__":
    errors.run(main)
