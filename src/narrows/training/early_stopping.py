"""The progress of a model while it is trained: its history, its best weights, its patience."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from narrows.errors import UserError
from narrows.models.autoencoder import Autoencoder

History = list[dict[str, int | float]]
"""Rows of history.csv: an epoch's number and its metrics."""


@runtime_checkable
class OnEpoch(Protocol):
    """A function that is called after every epoch."""

    def __call__(
        self, epoch: int, metrics: dict[str, float], model: Autoencoder, layer: int = 0
    ) -> None:
        """Called after every epoch, counted from 1, with "train/loss", "val/loss", "lr", ...; and
        once before the first, as epoch 0, with the untrained model and no metrics.

        While the layers of a row are trained one by one, as a stacked kind's are, `layer` counts
        them from 1 and `model` is that layer alone.
        """


class Progress:
    """The progress of one model, from epoch to epoch.

    Args:
        patience: epochs without a better validation loss after which it ends; None for any number.
    """

    def __init__(self, patience: int | None):
        self.patience = patience
        self.rows: History = []
        """History so far, one row per epoch."""
        self.best_epoch = 0
        """First epoch of the lowest validation loss, counted from 1; 0 before there is one."""
        self.weights: dict[str, Tensor] = {}
        """Weights after the best epoch."""

    @property
    def ended(self) -> bool:
        """Whether patience has run out."""
        return self.patience is not None and len(self.rows) - self.best_epoch >= self.patience

    def add_epoch(self, metrics: dict[str, float], model: Autoencoder) -> None:
        """Enters the metrics of an epoch more, and keeps the weights if they are the best so far.

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

    def check(self, model: Autoencoder) -> None:
        """Raises `ValueError` where the best weights, of a checkpoint, are those of another one."""
        shapes = {name: weight.shape for name, weight in model.state_dict().items()}
        if self.weights and {n: w.shape for n, w in self.weights.items()} != shapes:
            raise ValueError("its best weights are those of another model")

    def best(self, model: Autoencoder) -> Autoencoder:
        """The model with its best weights, in eval mode."""
        model.load_state_dict(self.weights)
        return model.eval()


class Track(Callback):
    """Follows the progress of each model of a `Fit`, and keeps it in the checkpoint so that a
    resumed training has all of it; training ends when the patience with every model has run out."""

    def __init__(
        self,
        progress: list[Progress],
        on_epoch: OnEpoch,
        before_checkpoint: Callable[[], None],
    ):
        self.progress, self.on_epoch = progress, on_epoch
        self.before_checkpoint = before_checkpoint

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Raises `ValueError` where a checkpoint had the progress of another training."""
        if max(len(progress.rows) for progress in self.progress) != trainer.current_epoch:
            raise ValueError("its history has another number of epochs")
        for progress, model in zip(self.progress, pl_module.models, strict=True):
            progress.check(model)
        trainer.should_stop = self._ended()  # resumed after its last epoch, it trains no further

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        by_model = zip(self.progress, pl_module.models, pl_module.metrics, strict=True)
        for progress, model, metrics in by_model:
            if progress.ended:
                continue
            progress.add_epoch(metrics, model)
            model.eval()
            self.on_epoch(len(progress.rows), metrics, model)
            model.train()
        trainer.should_stop |= self._ended()

    def on_save_checkpoint(self, *_: Any) -> None:
        self.before_checkpoint()

    def state_dict(self) -> dict[str, Any]:
        return {"progress": [vars(progress) for progress in self.progress]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for progress, saved in zip(self.progress, state["progress"], strict=True):
            vars(progress).update(saved)

    def _ended(self) -> bool:
        return all(progress.ended for progress in self.progress)
