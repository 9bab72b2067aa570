"""What is kept of a model while it is trained: its history, its best weights, its patience."""

from __future__ import annotations

import math
from typing import Any, Protocol, runtime_checkable

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from narrows.errors import UserError
from narrows.models.autoencoder import Autoencoder


@runtime_checkable
class OnEpoch(Protocol):
    def __call__(
        self, epoch: int, metrics: dict[str, float], model: Autoencoder, layer: int = 0
    ) -> None:
        """Called after every epoch, counted from 1, with "train/loss", "val/loss", "lr", ...; and
        once before the first, as epoch 0, with the untrained model and no metrics.

        While the layers of a stacked row are trained one by one, `layer` counts them from 1 and
        `model` is that layer alone.
        """


class Progress:
    """Of one model, from epoch to epoch."""

    def __init__(self, patience: int | None):
        self.patience = patience
        self.rows: list[dict[str, float]] = []
        """Of history.csv, one an epoch."""
        self.best_epoch = 0
        """Counted from 1: the first of the lowest validation loss."""
        self.weights: dict[str, Tensor] = {}
        """After that epoch."""

    @property
    def ended(self) -> bool:
        """Whether patience has run out."""
        return self.patience is not None and len(self.rows) - self.best_epoch >= self.patience

    def after(self, metrics: dict[str, float], model: Autoencoder) -> None:
        """One epoch more.

        Raises:
            UserError: a loss is no longer finite.
        """
        epoch = len(self.rows) + 1
        for name in ("train/loss", "val/loss"):
            if not math.isfinite(metrics[name]):
                raise UserError(
                    f"{name} became {metrics[name]} in epoch {epoch}; a lower "
                    f"train.optimizer.lr than {metrics['lr']:g}, or data without huge values, helps"
                )
        self.rows.append({"epoch": epoch, **metrics})
        best = self.rows[self.best_epoch - 1]["val/loss"] if self.best_epoch else math.inf
        if metrics["val/loss"] < best:
            self.best_epoch = epoch
            weights = model.state_dict().items()
            self.weights = {name: weight.detach().clone() for name, weight in weights}


class Track(Callback):
    """The progress of each model of a `training.Fit`, kept in the checkpoint so that a resumed
    training has all of it; training ends when the patience with every one has run out."""

    def __init__(self, each: list[Progress], on_epoch: OnEpoch):
        self.each, self.on_epoch = each, on_epoch

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.should_stop = self._ended()  # resumed after its last epoch, it trains no further

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        told = zip(self.each, pl_module.models, pl_module.metrics, strict=True)
        for progress, model, metrics in told:
            if progress.ended:
                continue
            progress.after(metrics, model)
            model.eval()
            self.on_epoch(len(progress.rows), metrics, model)
            model.train()
        trainer.should_stop |= self._ended()

    def state_dict(self) -> dict[str, Any]:
        return {"each": [vars(progress) for progress in self.each]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for progress, kept in zip(self.each, state["each"], strict=True):
            vars(progress).update(kept)

    def _ended(self) -> bool:
        return all(progress.ended for progress in self.each)
