"""Fits one autoencoder, as a Lightning module.

Everything random in an epoch is drawn from (seed, epoch), so that a training resumed after a kill
sees the same batches and the same noise as one that was never interrupted.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch import Tensor

from narrows.errors import UserError
from narrows.model import EVALUATION_BATCH, Autoencoder, corrupt, encode_all, to_unit
from narrows.plugins import Plugin
from narrows.trainer import trainer_on

PICTURE_EPOCHS = frozenset({0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000})
"""Epochs after which pictures are logged and a line is printed; the same in every run."""


class OnEpoch(Protocol):
    def __call__(
        self, epoch: int, metrics: dict[str, float], model: Autoencoder, layer: int = 0
    ) -> None:
        """Called after every epoch, counted from 1, with "train/loss", "val/loss", "lr", ...; and
        once before the first, as epoch 0, with the untrained model and no metrics.

        While the layers of a stacked row are trained one by one, `layer` counts them from 1 and
        `model` is that layer alone.
        """


@dataclass(frozen=True)
class Fitted:
    model: Autoencoder
    """With the weights of the epoch of the lowest validation loss, in eval mode."""
    history: list[dict[str, float]]
    """One row an epoch: epoch, lr, and each term of the loss on train and val."""
    best_epoch: int
    """Counted from 1."""
    seconds: float
    """Wall time of all epochs, those before an interruption included."""
    layers: tuple[Fitted, ...] = ()
    """Of a stacked row, input side first: each as it was when the next one began."""


class Batches:
    """Mini-batches of samples held in one tensor, in the order that `shuffle` draws if given."""

    def __init__(
        self, x: Tensor, batch_size: int, shuffle: Callable[[], torch.Generator] | None = None
    ):
        self.x, self.batch_size, self.shuffle = x, batch_size, shuffle

    def __len__(self) -> int:
        return math.ceil(len(self.x) / self.batch_size) - self._has_single()

    def __iter__(self) -> Iterator[Tensor]:
        # a generator function: Lightning calls iter() before it knows the epoch that it resumes
        if self.shuffle is None:
            yield from (to_unit(batch) for batch in self.x.split(self.batch_size))
            return
        order = torch.randperm(len(self.x), generator=self.shuffle()).to(self.x.device)
        batches = list(order.split(self.batch_size))
        if self._has_single():
            batches[-2:] = [torch.cat(batches[-2:])]
        yield from (to_unit(self.x[rows]) for rows in batches)

    def _has_single(self) -> bool:
        """A last training batch of one sample, which batch norm refuses, joins the one before."""
        return self.shuffle is not None and len(self.x) % self.batch_size == 1 < len(self.x)


class Fit(pl.LightningModule):
    """Corrupt, encode, decode, compare with the clean sample."""

    def __init__(self, row: Plugin, train: Tensor, val: Tensor, seed: int):
        super().__init__()
        self.row, self.train_x, self.val_x, self.seed = row, train, val, seed
        self.model = Autoencoder(row, tuple(train.shape[1:]))
        self.sums: dict[str, Tensor] = {}
        """Of each term over the samples seen this epoch, on the device: one transfer an epoch."""

    def train_dataloader(self) -> Batches:
        def shuffle() -> torch.Generator:
            return torch.Generator().manual_seed(self._epoch_seed())

        return Batches(self.train_x.to(self.device), self.row.config.train.batch_size, shuffle)

    def val_dataloader(self) -> Batches:
        return Batches(self.val_x.to(self.device), EVALUATION_BATCH)

    def training_step(self, clean: Tensor, index: int) -> Tensor:
        if index == 0:  # not in on_train_epoch_start, which Lightning skips when it resumes
            torch.manual_seed(self._epoch_seed())
            self.noise = self._generator(self._epoch_seed())
            self.sums = {}
        return self._terms(clean, "train")["loss"]

    def on_validation_epoch_start(self) -> None:
        self.noise = self._generator(self.seed)  # the same noise in every validation,
        torch.manual_seed(self.seed)  # and the same draws of a variational code

    def validation_step(self, clean: Tensor, _: int) -> None:
        self._terms(clean, "val")

    def on_validation_epoch_end(self) -> None:
        rows = {"train": len(self.train_x), "val": len(self.val_x)}
        told = torch.stack([total / rows[k.split("/")[0]] for k, total in self.sums.items()])
        metrics = dict(zip(self.sums, told.tolist(), strict=True))
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        metrics["lr"] = optimizer.param_groups[0]["lr"]
        self.metrics = metrics
        for name in ("train/loss", "val/loss"):
            if not math.isfinite(metrics[name]):
                raise UserError(
                    f"{name} became {metrics[name]} in epoch {self.current_epoch + 1}; a lower "
                    f"train.optimizer.lr than {metrics['lr']:g}, or data without huge values, helps"
                )
        self.log("val/loss", metrics["val/loss"])  # for the callbacks that watch it
        self._step_schedule(metrics["val/loss"])

    def configure_optimizers(self) -> Any:
        cfg = self.row.config.train
        optimizer = cfg.optimizer.module.optimizer(cfg.optimizer.config, self.model.parameters())
        schedule = cfg.schedule.module.schedule(cfg.schedule.config, optimizer, cfg.epochs)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "monitor": "val/loss"},
        }

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Nothing: Lightning steps after the checkpoint is written, so a resumed training would
        miss a step. `_step_schedule` does it before."""

    def _step_schedule(self, val_loss: float) -> None:
        scheduler: Any = self.lr_schedulers()
        plateau = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
        scheduler.step(val_loss) if plateau else scheduler.step()

    def _terms(self, clean: Tensor, split: str) -> dict[str, Tensor]:
        terms = self.model.loss(corrupt(self.row, clean, self.noise), clean)
        for name, value in terms.items():
            total = value.detach() * len(clean)
            key = f"{split}/{name}"
            self.sums[key] = self.sums[key] + total if key in self.sums else total
        return terms

    def _epoch_seed(self) -> int:
        return self.seed * 100_003 + self.current_epoch

    def _generator(self, seed: int) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(seed)


class History(Callback):
    """The rows of history.csv, kept in the checkpoint so that a resumed training has them all."""

    def __init__(self, on_epoch: OnEpoch):
        self.rows: list[dict[str, float]] = []
        self.on_epoch = on_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Fit)
        epoch = trainer.current_epoch + 1
        self.rows.append({"epoch": epoch, **pl_module.metrics})
        pl_module.model.eval()
        self.on_epoch(epoch, pl_module.metrics, pl_module.model)
        pl_module.model.train()

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows = list(state["rows"])


class Stop(EarlyStopping):
    """Early stopping that, resumed after its last epoch, does not train one more."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.should_stop = self.wait_count >= self.patience


def fit(
    row: Plugin, train: Tensor, val: Tensor, seed: int, device: str, work: Path, on_epoch: OnEpoch
) -> Fitted:
    """Trains until `epochs` or until `patience` runs out; resumes from `work` if it can.

    A stacked row's layers come first, each on the codes of the one before; finished ones are
    only read again when work is resumed.

    Args:
        row: of `autoencoders:`.
        train, val: samples (N, ...), uint8 pictures or floats.
        device: auto, cpu, cuda or mps.
        work: folder of this fit's checkpoints; what is found in it is resumed, and left there.

    Raises:
        UserError: the loss is no longer finite, or the device is not there.
    """
    layers: list[Fitted] = []
    train_z, val_z = train, val
    rows: list[Plugin] = row.module.layers(row.config) if row.name == "stacked" else []
    for i, layer in enumerate(rows, start=1):
        told = functools.partial(on_epoch, layer=i)
        layers.append(_fit(layer, train_z, val_z, seed, device, work / f"layer-{i}", told))
        train_z, val_z = (
            torch.from_numpy(encode_all(layers[-1].model, z)) for z in (train_z, val_z)
        )
    return _fit(row, train, val, seed, device, work, on_epoch, tuple(layers))


def _fit(
    row: Plugin,
    train: Tensor,
    val: Tensor,
    seed: int,
    device: str,
    work: Path,
    on_epoch: OnEpoch,
    layers: tuple[Fitted, ...] = (),
) -> Fitted:
    """One phase of `fit`, from the weights of the `layers` if there are any."""
    pl.seed_everything(seed, verbose=False)
    module = Fit(row, train, val, seed)
    if layers:
        row.module.start(module.model.parts, [layer.model.parts for layer in layers])
    history = History(on_epoch)
    clock = pl.callbacks.Timer()
    last = ModelCheckpoint(work, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    best = ModelCheckpoint(
        work,
        "best",
        monitor="val/loss",
        save_weights_only=True,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    callbacks: list[Callback] = [history, clock, best, last]
    if row.config.train.patience is not None:
        stop = Stop("val/loss", patience=row.config.train.patience, check_on_train_epoch_end=True)
        callbacks.insert(2, stop)
    trainer = trainer_on(device, row.config.train.epochs, callbacks)
    checkpoint = work / "last.ckpt"
    if not checkpoint.exists():
        on_epoch(0, {}, module.model.eval())
        module.model.train()
    trainer.fit(module, ckpt_path=checkpoint if checkpoint.exists() else None, weights_only=True)
    weights = torch.load(work / "best.ckpt", weights_only=True, map_location="cpu")["state_dict"]
    module.load_state_dict(weights)
    losses = [epoch["val/loss"] for epoch in history.rows]
    return Fitted(
        module.model.eval(),
        history.rows,
        best_epoch=1 + losses.index(min(losses)),
        seconds=clock.time_elapsed("train"),
        layers=layers,
    )


def device_of(model: Autoencoder) -> torch.device:
    """Where the model's weights are."""
    return next(model.parameters()).device
