"""Lightning's trainer, which here does what its callbacks say and nothing else."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import threading
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint, Timer
from pytorch_lightning.profilers import (
    AdvancedProfiler,
    Profiler,
    PyTorchProfiler,
    SimpleProfiler,
)
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor

from narrows.config.messages import cut
from narrows.errors import UserError, say
from narrows.rendering import progress
from narrows.rendering.progress import Part


@dataclass(frozen=True)
class Processes:
    """The processes that train one model together, each on its share of every batch (Lightning's
    DDP).

    On one machine Lightning starts them itself, by calling the script again.
    """

    devices: int = 1
    """Number of devices on one machine, with a process each."""
    num_nodes: int = 1
    """Number of machines. The same script is started on each, as Lightning's documentation says."""
    same_noise: bool = False
    """Whether each of them draws the noise of the whole batch, which makes the loss of any number
    the same, up to rounding; otherwise each reads and corrupts its own share only."""

    @property
    def n(self) -> int:
        """Number of processes on all machines."""
        return self.devices * self.num_nodes

    @property
    def leads(self) -> bool:
        """Whether this process writes and logs; the others only compute."""
        return self.n == 1 or is_leading()


ALONE = Processes()
PROFILERS: dict[str, Callable[..., Profiler]] = {
    "simple": SimpleProfiler,
    "advanced": AdvancedProfiler,
    "pytorch": PyTorchProfiler,
}
PROFILES = Path(".work/profiles")
RANKS = ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")  # torchrun's, Slurm's, Lightning's


def is_leading() -> bool:
    """Whether this process is the first of all that were started together, or one on its own."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)


OF_OTHERS = (UserError, OSError, MemoryError, torch.OutOfMemoryError, torch.AcceleratorError)
"""Errors that say nothing of a checkpoint."""
CONTENT = {"callbacks", "epoch", "loops", "optimizer_states", "state_dict"}
"""What a checkpoint holds at least."""


class Last(ModelCheckpoint):
    """The state after an epoch, in last.ckpt: after the first and the last epoch, and after as many
    others as leave nineteen twentieths of the time to training, a second apart at least."""

    def __init__(self, folder: Path):
        super().__init__(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
        self.due = 0.0

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        ends = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        began = time.monotonic()
        if trainer.strategy.broadcast(ends or began >= self.due):  # all processes or none
            super().on_train_epoch_end(trainer, pl_module)
            ended = time.monotonic()
            self.due = ended + max(1.0, 20 * (ended - began))


def checkpoint_in(work: Path) -> Path | None:
    """The file that `Last` left in the folder; None if there is none.

    One that is damaged is deleted, with a word about it: the training begins anew.
    """
    file = work / "last.ckpt"
    if not file.exists():
        return None
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()  # torch reads on where a bit is wrong
        if damaged is None and state.keys() >= CONTENT:
            return file
        problem = f"in {damaged}" if damaged else "it holds no state of a training"
    except Exception as error:  # torch raises a dozen kinds
        problem = str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__
    say(f"{file} is damaged ({cut(problem)}); it is deleted, and the training begins anew")
    _delete(file)
    return None


def _delete(file: Path) -> None:
    shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)


class _Count(Callback):
    """How many epochs are over, also within one."""

    def __init__(self, part: Part):
        self.part = part

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any
    ) -> None:
        *_, index = batch
        self.part.n = trainer.current_epoch + (index + 1) / trainer.num_training_batches


class _Resumption(Callback):
    """Whether a training has come so far that what goes wrong is not its checkpoint's fault."""

    is_over = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Raises `ValueError` where an optimiser has not a number for each weight: a step would end
        the process."""
        for optimizer in trainer.optimizers:
            for weight, state in optimizer.state.items():
                shapes = [v.shape for v in state.values() if isinstance(v, Tensor) and v.ndim]
                if any(shape != weight.shape for shape in shapes):
                    raise ValueError("its optimizer is that of another model")

    def on_train_batch_end(self, *_: Any) -> None:
        self.is_over = True


def quieten() -> None:
    """Silences what Lightning says of things that are meant; may be called any number of times."""
    warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec.`")  # 2.6 on torch 2.15
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists")  # meant: it is resumed
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    if not torch.cuda.is_available():
        # Adam asks before every step whether there is a GPU; Lightning's way takes .4 ms
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"


def run(
    module: pl.LightningModule,
    device: str,
    max_epochs: int,
    work: Path,
    callbacks: Sequence[Callback] = (),
    processes: Processes = ALONE,
    unit: str = "epochs",
) -> float:
    """Trains the module, from the checkpoint in `work` if there is one, and leaves it on the device
    that trained it.

    Args:
        device: auto, cpu, cuda or mps.
        unit: what an epoch is called where progress is displayed.

    Returns:
        Seconds of all epochs, those before an interruption included.

    Raises:
        UserError: the device is not there, or not that many of them; or the checkpoint is not one
            of this module: it is deleted.
    """
    quieten()
    clock, resumption, checkpoint = Timer(), _Resumption(), checkpoint_in(work)
    try:
        with progress.part(unit, max_epochs) as part:
            own: list[Callback] = [clock, resumption, _Count(part), Last(work)]
            trainer = _trainer(device, max_epochs, [*callbacks, *own], processes, work.name)
            trainer.fit(module, ckpt_path=checkpoint, weights_only=True)
    except OF_OTHERS:
        raise
    except Exception as error:
        if checkpoint is None or resumption.is_over:
            raise
        _delete(checkpoint)
        problem = cut(" ".join(str(error).split()) or type(error).__name__)
        raise UserError(
            f"{checkpoint} does not go with its row ({problem}); it is deleted: run `dvc repro` "
            "again, which begins anew"
        ) from error
    module.to(trainer.strategy.root_device)  # Lightning moves it to the CPU when it is done
    return float(clock.time_elapsed("train"))


@contextlib.contextmanager
def guest() -> Iterator[None]:
    """Leaves a process that goes on afterwards, a notebook for instance, as it was: the random
    state of Python, numpy and torch, and what Ctrl-C does.

    Lightning ignores Ctrl-C from the first one on and ends the process; here it is a
    KeyboardInterrupt like any other.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        with isolate_rng():
            yield
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


def leave(processes: Processes) -> None:
    """Ends the group of processes that have trained together; all of them call it."""
    if processes.n > 1:
        torch.distributed.destroy_process_group()


def _profiler(name: str) -> Profiler | None:
    """Lightning's profiler that NARROWS_PROFILER asks for, which writes into .work/profiles/."""
    wish = os.environ.get("NARROWS_PROFILER", "")
    if not wish:
        return None
    if wish not in PROFILERS:
        accepted = ", ".join(PROFILERS)
        raise UserError(f"NARROWS_PROFILER is {wish!r}; accepted are {accepted}")
    PROFILES.mkdir(parents=True, exist_ok=True)
    return PROFILERS[wish](dirpath=PROFILES, filename=name)


def _trainer(
    device: str, max_epochs: int, callbacks: list[Callback], processes: Processes, name: str
) -> pl.Trainer:
    """A trainer without logger, summary, bar and sanity check.

    Args:
        name: that of the file in which a profiler reports.
    """
    profiler = _profiler(name)
    try:
        return pl.Trainer(
            accelerator=device,
            devices=processes.devices,
            num_nodes=processes.num_nodes,
            strategy="auto" if processes.n == 1 else "ddp",
            max_epochs=max_epochs,
            callbacks=callbacks,
            logger=False,
            profiler=profiler,
            num_sanity_val_steps=0,
            enable_model_summary=False,
            enable_progress_bar=False,
        )
    except MisconfigurationException:
        name = device if processes.devices == 1 else f"{processes.devices} times {device}"
        raise UserError(f"device is {name}, which torch does not find on this machine") from None
