"""Fits one autoencoder, as a Lightning module.

Everything random in an epoch is drawn from (seed, epoch), so that a training resumed after a kill
sees the same batches and the same noise as one that was never interrupted.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from narrows.config.plugins import Plugin
from narrows.data.on_disk import Samples
from narrows.data.unit import to_unit
from narrows.errors import UserError
from narrows.models.autoencoder import Autoencoder, corrupt, encode_all
from narrows.training.batches import InOrder, Shuffled
from narrows.training.early_stopping import OnEpoch, Progress, Track
from narrows.training.lightning import ALONE, Processes, checkpoint_in, run
from narrows.training.steps import Stepping

PICTURE_EPOCHS = frozenset({0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000})
"""Epochs after which pictures are logged and a line is printed; the same in every run."""

APART = 7919  # between the seeds of two processes


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
    precision: str
    """fp32 or bf16, in which the steps were taken."""
    layers: tuple[Fitted, ...] = ()
    """Of a stacked row, input side first: each as it was when the next one began."""


class Fit(Stepping):
    """Corrupt, encode, decode, compare with the clean sample."""

    def __init__(self, row: Plugin, train: Samples, val: Samples, *seeds: int):
        super().__init__(n_noises=len(seeds))
        self.row, self.train_x, self.val_x, self.seeds = row, train, val, seeds
        self.model = Autoencoder(row, tuple(train.shape[1:]))
        self.metrics: list[dict[str, float]] = []
        """Of each of the models, after an epoch."""

    @property
    def models(self) -> list[Autoencoder]:
        return [self.model]

    def weights(self) -> Iterable[Tensor]:
        """That the optimiser moves."""
        return self.model.parameters()

    def train_dataloader(self) -> Shuffled:
        return self._shuffled(*self.seeds)

    def val_dataloader(self) -> InOrder:
        return InOrder(self.val_x.to(self.device), self.model.batch_size)

    def on_train_start(self) -> None:
        super().on_train_start()
        self.train_x = self.train_x.to(self.device)

    def training_step(self, block: list[Tensor], index: int) -> None:
        if index == 0:  # not in on_train_epoch_start, which Lightning skips when it resumes
            self._seed([self._epoch_seed(seed) for seed in self.seeds])
            self.empty_sums("train/")
        self.take((self.train_x[rows].to(self.device),) for rows in block)

    def loss(self, *batch: Tensor) -> Tensor:
        return self._terms(to_unit(batch[0]), "train")

    def on_validation_epoch_start(self) -> None:
        self._seed(self.seeds)  # the same noise and draws of a variational code in every validation
        self.empty_sums("val/")

    def validation_step(self, batch: Tensor, _: int) -> None:
        self._terms(to_unit(batch.to(self.device)), "val")

    def on_validation_epoch_end(self) -> None:
        rows = {"train": len(self.train_x), "val": len(self.val_x)}
        told = torch.stack([total / rows[k.split("/")[0]] for k, total in self.sums.items()])
        told = self.trainer.strategy.reduce(told, reduce_op="sum")
        rate = float(self.optimizer().param_groups[0]["lr"])
        by_model = told.reshape(len(told), -1).T.tolist()
        self.metrics = [dict(zip(self.sums, one, strict=True)) | {"lr": rate} for one in by_model]
        self._step_schedule(self.metrics[0]["val/loss"])

    def configure_optimizers(self) -> Any:
        cfg = self.row.config.train
        optimizer = cfg.optimizer.module.optimizer(cfg.optimizer.config, self.weights())
        schedule = cfg.schedule.module.schedule(cfg.schedule.config, optimizer, cfg.epochs)
        return [optimizer], [schedule]

    def _step_schedule(self, val_loss: float) -> None:
        """Comes before the checkpoint is written, so that a resumed training misses no step."""
        scheduler: Any = self.lr_schedulers()
        plateau = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
        scheduler.step(val_loss) if plateau else scheduler.step()

    def _terms(self, clean: Tensor, split: str) -> Tensor:
        """The loss of this process's share of a batch, whose terms are added to `sums`."""
        noisy, of_all = corrupt(self.row.config.corruption, clean, self.noises[0]), len(clean)
        share = slice(self.global_rank, None, self.trainer.world_size)
        noisy, clean = noisy[share], clean[share]
        if not len(clean):  # of a validation set smaller than the number of processes
            return clean.sum()
        with self.autocast(training=split == "train"):
            terms = self.model.loss(noisy, clean)
        for name, value in terms.items():
            self.add(f"{split}/{name}", value * len(clean))
        # DDP takes the mean over processes, whose shares differ by a sample
        weight = len(clean) * self.trainer.world_size / of_all
        return terms["loss"] if weight == 1 else terms["loss"] * weight

    def _shuffled(self, seed: int) -> Shuffled:
        size, smallest = self.row.config.train.batch_size, 2 * self.trainer.world_size
        drawn = functools.partial(self._epoch_seed, seed)
        return Shuffled(self.train_x, size, drawn, self.device, smallest)

    def _seed(self, seeds: Sequence[int]) -> None:
        """Of noise, which all processes draw alike for the whole batch, and of what the model draws
        for the process's own share."""
        for noise, seed in zip(self.noises, seeds, strict=True):
            noise.manual_seed(seed)
        # torch.manual_seed formats a stack for devices that are not there: 2 ms of a small epoch
        on_cpu = self.device.type == "cpu"
        seeded = torch.default_generator.manual_seed if on_cpu else torch.manual_seed
        seeded(seeds[0] + APART * self.global_rank)

    def _epoch_seed(self, seed: int) -> int:
        return seed * 100_003 + self.current_epoch


def fit(
    row: Plugin,
    train: Samples,
    val: Samples,
    seed: int,
    device: str,
    work: Path,
    on_epoch: OnEpoch,
    processes: Processes = ALONE,
) -> Fitted:
    """Trains until `epochs` or until `patience` runs out; resumes from `work` if it can.

    A stacked row's layers come first, each on the codes of the one before; finished ones are
    only read again when work is resumed.

    Args:
        row: of `autoencoders:`.
        train, val: samples (N, ...), uint8 pictures or floats, in memory or on disk.
        device: auto, cpu, cuda or mps.
        work: folder of this fit's checkpoints; what is found in it is resumed, and left there.
        processes: all of which call this alike.

    Raises:
        UserError: the loss is no longer finite, the device is not there, or a batch or split has
            fewer than two samples for each process.
    """
    fewest = min(row.config.train.batch_size, len(train), len(val))
    if processes.n > 1 and fewest < 2 * processes.n:
        raise UserError(
            f"devices times num_nodes is {processes.n}, but a batch or split has {fewest} samples: "
            "each process needs two"
        )
    one = functools.partial(_fit, seed, device, processes)
    layers: list[Fitted] = []
    train_z, val_z = train, val
    rows: list[Plugin] = row.module.layers(row.config) if row.name == "stacked" else []
    for i, layer in enumerate(rows, start=1):
        told = functools.partial(on_epoch, layer=i)
        layers.append(one(layer, train_z, val_z, work / f"layer-{i}", told))
        train_z, val_z = (
            torch.from_numpy(encode_all(layers[-1].model, z)) for z in (train_z, val_z)
        )
    return one(row, train, val, work, on_epoch, tuple(layers))


def _fit(
    seed: int,
    device: str,
    processes: Processes,
    row: Plugin,
    train: Samples,
    val: Samples,
    work: Path,
    on_epoch: OnEpoch,
    layers: tuple[Fitted, ...] = (),
) -> Fitted:
    """One phase of `fit`, from the weights of the `layers` if there are any."""
    pl.seed_everything(seed, verbose=False)
    module = Fit(row, train, val, seed)
    if layers:
        row.module.start(module.model.parts, [layer.model.parts for layer in layers])
    if checkpoint_in(work) is None:
        on_epoch(0, {}, module.model.eval())
        module.model.train()
    (fitted,) = trained(module, device, work, on_epoch, processes)
    return dataclasses.replace(fitted, layers=layers)


def trained(
    module: Fit, device: str, work: Path, on_epoch: OnEpoch, processes: Processes = ALONE
) -> list[Fitted]:
    """Each of the module's models, with its share of the seconds; resumes from `work` if it can."""
    train = module.row.config.train
    each = [Progress(train.patience) for _ in module.models]
    seconds = run(module, device, train.epochs, work, [Track(each, on_epoch)], processes)
    found = []
    for model, progress in zip(module.models, each, strict=True):
        model.load_state_dict(progress.weights)
        told = (progress.rows, progress.best_epoch, seconds / len(each), module.precision)
        found.append(Fitted(model.eval(), *told))
    return found


def quiet(*_: object, **__: object) -> None:
    """Nothing is told of single epochs."""


def device_of(model: Autoencoder) -> torch.device:
    """Where the model's weights are."""
    return next(model.parameters()).device
