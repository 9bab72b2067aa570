"""The training of one autoencoder, as a Lightning module.

Everything random in an epoch is drawn from (seed, epoch), so that a training resumed after a kill
sees the same batches and the same noise as one that was never interrupted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LinearLR

from narrows.config.plugins import Plugin
from narrows.data.on_disk import Samples
from narrows.data.unit import to_unit
from narrows.errors import UserError
from narrows.models.autoencoder import Autoencoder, corrupt, encode_all
from narrows.models.autoencoders._base import Kind
from narrows.training.averaging import Average
from narrows.training.batches import InOrder, Shuffled
from narrows.training.early_stopping import History, OnEpoch, Progress, Track
from narrows.training.lightning import ALONE, Processes, checkpoint_in, leave, run
from narrows.training.optimizers._base import Optimizer
from narrows.training.schedules._base import Schedule
from narrows.training.steps import Stepping

PICTURE_EPOCHS = frozenset({0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000})
"""Epochs after which pictures are logged and a line is printed; the same in every run."""

APART = 7919  # between the seeds of two processes


@dataclass(frozen=True)
class Fitted:
    """A trained row."""

    model: Autoencoder
    """Model with the weights of the epoch of the lowest validation loss, in eval mode, on the
    device that trained it."""
    history: History
    """One row per epoch: epoch, lr, and each term of the loss on train and val."""
    best_epoch: int
    """Epoch of the lowest validation loss, counted from 1."""
    seconds: float
    """Wall time of all epochs, those before an interruption included."""
    precision: str
    """Precision in which the steps were taken: fp32, bf16 or fp16."""
    layers: tuple[Fitted, ...] = ()
    """Layers that were trained before the row, input side first: each as it was when the next one
    began. Most kinds have none."""


class Fit(Stepping):
    """The training of a row: corrupt, encode, decode, compare with the clean sample.

    Args:
        row: of `autoencoders:`.
        train, val: samples (N, ...) as stored.
        seeds: one for each model that is trained; here that is one.
    """

    def __init__(self, row: Plugin, train: Samples, val: Samples, *seeds: int):
        pl.seed_everything(seeds[0], verbose=False)
        super().__init__(n_noises=len(seeds))
        self.row, self.train_x, self.val_x, self.seeds = row, train, val, seeds
        self.model = Autoencoder(row, tuple(train.shape[1:]))
        decay = row.config.train.ema
        self.average: Average | None = None
        """What is validated and kept in place of the model, if it is averaged."""
        if decay is not None:
            self.average = Average(Autoencoder(row, tuple(train.shape[1:])), decay)
        self.same_noise = False
        """Whether each of several processes draws the noise of the whole batch, as `Processes`."""
        self.metrics: list[dict[str, float]] = []
        """Metrics of each of the models, after an epoch."""

    @property
    def models(self) -> list[Autoencoder]:
        """The models that are validated and kept, one per seed."""
        return [self.model if self.average is None else self.average.model]

    def weights(self) -> Iterable[Tensor]:
        """The tensors that the optimiser moves."""
        return self.model.parameters()

    def train_dataloader(self) -> Shuffled:
        return self._shuffled(*self.seeds)

    def val_dataloader(self) -> InOrder:
        place = (0, 1) if self.same_noise else (self.global_rank, self.trainer.world_size)
        return InOrder(self.val_x.to(self.device), self.model.batch_size, *place)

    def on_train_start(self) -> None:
        super().on_train_start()
        self.train_x = self.train_x.to(self.device)

    def training_step(self, block: list[tuple[Tensor, ...]], index: int) -> None:
        if index == 0:  # not in on_train_epoch_start, which Lightning skips when it resumes
            self._seed([self._epoch_seed(seed) for seed in self.seeds])
            self.empty_sums("train/")
        self.take(self._read(together) for together in block)

    def _read(self, together: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The samples of the mini-batches of one step, (B, ...) each, or what this process needs
        of them. Called before each step, whose weights of the mini-batches it sets.

        Of W processes, process r takes the samples r, r + W, r + 2 W, ...: B / W, up to one more.
        """
        rank, n = self.global_rank, self.trainer.world_size
        sizes = [rows.numel() for rows in together]
        # DDP averages gradients over processes as if all shares were of one size; with these
        # weights that average is the gradient of the mean over all samples of the step
        self.weights_of_parts = [len(range(rank, size, n)) * n / sum(sizes) for size in sizes]
        if n > 1 and not self.same_noise:
            together = tuple(rows[rank::n] for rows in together)
        x = self.train_x
        if isinstance(x, Tensor):  # copies sample by sample, where x[rows] copies value by value
            return tuple(_samples(x, rows).to(self.device) for rows in together)
        return tuple(x[rows].to(self.device) for rows in together)

    def step(self, *batch: Tensor) -> None:
        """One step of the optimiser, on the mini-batches (B, ...) whose gradient it takes."""
        cfg = self.row.config.train
        self.optimizer().zero_grad()
        for part, weight in zip(batch, self.weights_of_parts, strict=True):
            loss = self.loss(part)
            self.backward_from(loss if weight == 1 else loss * weight)
        if cfg.clip is not None:
            self.scaler.unscale_(self.optimizer())
            self.clip(cfg.clip)
        self.step_optimizer()
        if self.average is not None:
            self.average.update(self.model)

    def clip(self, largest: float) -> None:
        """Shortens a gradient whose norm is larger."""
        nn.utils.clip_grad_norm_(self.weights(), largest)

    def loss(self, *batch: Tensor) -> Tensor:
        return self._terms(to_unit(batch[0]), "train")

    def on_validation_epoch_start(self) -> None:
        self._seed(self.seeds)  # the same noise and draws of a variational code in every validation
        self.empty_sums("val/")

    def validation_step(self, batch: Tensor, _: int) -> None:
        self._terms(to_unit(batch.to(self.device)), "val")

    def on_validation_epoch_end(self) -> None:
        """Turns the sums over an epoch into means over its samples, and steps the schedule."""
        n_x = {"train": len(self.train_x), "val": len(self.val_x)}
        # a term per entry: () of one model, (M,) of M models
        means = torch.stack([total / n_x[k.split("/")[0]] for k, total in self.sums.items()])
        means = self.trainer.strategy.reduce(means, reduce_op="sum")  # over the processes' shares
        rate = float(self.optimizer().param_groups[0]["lr"])
        by_model = means.reshape(len(means), -1).T.tolist()  # (M, n_terms)
        self.metrics = [dict(zip(self.sums, row, strict=True)) | {"lr": rate} for row in by_model]
        self._step_schedule(self.metrics[0]["val/loss"])

    def configure_optimizers(self) -> Any:
        cfg = self.row.config.train
        optimizers: Optimizer = cfg.optimizer.module
        schedules: Schedule = cfg.schedule.module
        optimizer = optimizers.optimizer(cfg.optimizer.config, self.weights())
        epochs = cfg.epochs - cfg.warmup
        own = [schedules.schedule(cfg.schedule.config, optimizer, epochs)]
        if cfg.warmup:
            own += [LinearLR(optimizer, 1 / (cfg.warmup + 1), total_iters=cfg.warmup)]
        return [optimizer], own

    def _step_schedule(self, val_loss: float) -> None:
        """Comes before the checkpoint is written, so that a resumed training misses no step."""
        cfg = self.row.config.train
        schedules: Schedule = cfg.schedule.module
        schedulers: Any = self.lr_schedulers()
        own, *warmup = schedulers if cfg.warmup else [schedulers]
        if self.current_epoch < cfg.warmup:
            warmup[0].step()
        elif schedules.FOLLOWS_LOSS:
            own.step(val_loss)
        else:
            own.step()

    def _terms(self, clean: Tensor, split: str) -> Tensor:
        """The mean loss () of this process's share of a batch, whose terms are added to `sums`.

        Args:
            clean: the whole batch (B, ...) where all processes draw the same noise, or the share.
        """
        noisy = corrupt(self.row.config.corruption, clean, self.noises[0]) if len(clean) else clean
        if self.same_noise:
            share = slice(self.global_rank, None, self.trainer.world_size)
            noisy, clean = noisy[share], clean[share]
        if not len(clean):  # a validation batch can be smaller than the number of processes
            return clean.sum()
        model = self.model if split == "train" else self.models[0]
        with self.autocast(training=split == "train"):
            terms = model.loss(noisy, clean)  # means over the share, () each
        for name, value in terms.items():
            self.add(f"{split}/{name}", value * len(clean))
        return terms["loss"]

    def _shuffled(self, seed: int) -> Shuffled:
        """Batches in an order that (seed, epoch) draws, with two samples for each process."""
        size, smallest = self.row.config.train.batch_size, 2 * self.trainer.world_size
        epoch_seed = functools.partial(self._epoch_seed, seed)
        n_together = self.row.config.train.accumulate
        return Shuffled(self.train_x, size, epoch_seed, self.device, smallest, n_together)

    def _seed(self, seeds: Sequence[int]) -> None:
        """Seeds the noise and what the model draws, for which each process has a seed of its own;
        that of the noise is shared where all draw it alike for the whole batch."""
        apart = APART * self.global_rank
        for noise, seed in zip(self.noises, seeds, strict=True):
            noise.manual_seed(seed + (0 if self.same_noise else apart))
        # torch.manual_seed formats a stack for devices that are not there: 2 ms of a small epoch
        on_cpu = self.device.type == "cpu"
        seeded = torch.default_generator.manual_seed if on_cpu else torch.manual_seed
        seeded(seeds[0] + apart)

    def _epoch_seed(self, seed: int) -> int:
        return seed * 100_003 + self.current_epoch


def quiet(*_: object, **__: object) -> None:
    """An `on_epoch` that does nothing."""


def _samples(x: Tensor, rows: Tensor) -> Tensor:
    """Samples (B, ...), or (M, B, ...) of M models, of as many rows of x."""
    return x.index_select(0, rows.flatten().to(x.device)).unflatten(0, rows.shape)


def fit(
    row: Plugin,
    train: Samples,
    val: Samples,
    *,
    seed: int,
    device: str = "auto",
    work: Path | None = None,
    on_epoch: OnEpoch = quiet,
    before_checkpoint: Callable[[], None] = quiet,
    processes: Processes = ALONE,
) -> Fitted:
    """Trains until `epochs` or until `patience` runs out; resumes from `work` if it can.

    Layers of the row, which a stacked kind has, come first, each on the codes of the one before;
    finished ones are only read again when work is resumed.

    Where several processes train together, all of them call this alike. Only the leading one calls
    `on_epoch`, raises a `UserError` and returns; the others end as soon as they have done their
    share.

    Args:
        row: of `autoencoders:`.
        train, val: samples (N, ...), uint8 pictures or floats, in memory or on disk.
        seed: of weights, batches and noise.
        device: auto, cpu, cuda or mps.
        work: folder of this fit's checkpoints; what is found in it is resumed, and left there. None
            for a temporary folder.
        on_epoch: called after every epoch.
        before_checkpoint: called between `on_epoch` and a checkpoint, behind which work is resumed.
        processes: those that train the row together.

    Raises:
        UserError: the loss is no longer finite, the device is not there, or a batch or split has
            fewer than two samples for each process.
    """
    _check_shares(min(row.config.train.batch_size, len(train), len(val)), processes)
    with _folder(work) as folder:
        calls = (on_epoch, before_checkpoint) if processes.leads else (quiet, quiet)
        setting = _Setting(device, folder, *calls, processes)
        try:
            fitted = _fit(row, train, val, seed, setting)
        except UserError:
            if processes.leads:
                raise
            sys.exit()  # the leading process meets the same error, and says so
    leave(processes)
    if not processes.leads:
        sys.exit()
    return fitted


def _check_shares(n_x: int, processes: Processes) -> None:
    """Refuses to divide the smallest batch or split, of `n_x` samples, among too many processes."""
    if processes.n > 1 and n_x < 2 * processes.n:
        raise UserError(
            f"devices times num_nodes is {processes.n}, but a batch or split has {n_x} samples: "
            "each process needs two"
        )


@dataclass(frozen=True)
class _Setting:
    """Where and how a module is trained."""

    device: str
    work: Path
    on_epoch: OnEpoch
    before_checkpoint: Callable[[], None]
    processes: Processes


def _fit(row: Plugin, train: Samples, val: Samples, seed: int, setting: _Setting) -> Fitted:
    """Trains the row's layers, if its kind has any, and then the row."""
    kind: Kind = row.module
    layers: list[Fitted] = []
    train_z, val_z = train, val
    for i, layer in enumerate(kind.layers(row.config), start=1):
        on_epoch = functools.partial(setting.on_epoch, layer=i)
        phase = dataclasses.replace(setting, work=setting.work / f"layer-{i}", on_epoch=on_epoch)
        layers.append(_fit_phase(Fit(layer, train_z, val_z, seed), phase))
        model = layers[-1].model
        train_z, val_z = (torch.from_numpy(encode_all(model, z)) for z in (train_z, val_z))
    module = Fit(row, train, val, seed)
    kind.start(module.model.parts, [layer.model.parts for layer in layers])
    return dataclasses.replace(_fit_phase(module, setting), layers=tuple(layers))


def _fit_phase(module: Fit, setting: _Setting) -> Fitted:
    """Trains the module's only model, after a look at it as it starts."""
    if checkpoint_in(setting.work) is None:
        setting.on_epoch(0, {}, module.model.eval())
        module.model.train()
    track = (setting.on_epoch, setting.before_checkpoint)
    (fitted,) = fit_models(module, setting.device, setting.work, *track, setting.processes)
    return fitted


def fit_models(
    module: Fit,
    device: str,
    work: Path,
    on_epoch: OnEpoch = quiet,
    before_checkpoint: Callable[[], None] = quiet,
    processes: Processes = ALONE,
) -> list[Fitted]:
    """Trains all models of the module, each of which gets the same share of the seconds; resumes
    from `work` if it can."""
    train, module.same_noise = module.row.config.train, processes.same_noise
    progress = [Progress(train.patience) for _ in module.models]
    track = Track(progress, on_epoch, before_checkpoint)
    seconds = run(module, device, train.epochs, work, [track], processes)
    return [
        Fitted(
            model=own.best(model),
            history=own.rows,
            best_epoch=own.best_epoch,
            seconds=seconds / len(progress),
            precision=module.precision,
        )
        for model, own in zip(module.models, progress, strict=True)
    ]


@contextlib.contextmanager
def _folder(work: Path | None) -> Iterator[Path]:
    """The folder `work`; for None a temporary one, which is deleted in the end."""
    if work is not None:
        yield work
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
