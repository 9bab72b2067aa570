"""Lightning's trainer, which here does what its callbacks say and nothing else."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint, Timer
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from pytorch_lightning.utilities.seed import isolate_rng

from narrows.config.messages import cut
from narrows.errors import UserError, say


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

    @property
    def n(self) -> int:
        """Number of processes on all machines."""
        return self.devices * self.num_nodes

    @property
    def leads(self) -> bool:
        """Whether this process writes and logs; the others only compute."""
        return self.n == 1 or is_leading()


ALONE = Processes()
RANKS = ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")  # torchrun's, Slurm's, Lightning's


def is_leading() -> bool:
    """Whether this process is the first of all that were started together, or one on its own."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)


CONTENT = {"callbacks", "epoch", "loops", "optimizer_states", "state_dict"}
"""What a checkpoint holds at least."""


class Last(ModelCheckpoint):
    """The state after an epoch, in last.ckpt: after the last epoch, and after as many others as
    leave nineteen twentieths of the time to training."""

    def __init__(self, folder: Path):
        super().__init__(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
        self.due = 0.0

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        ends = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        began = time.monotonic()
        if trainer.strategy.broadcast(ends or began >= self.due):  # all processes or none
            super().on_train_epoch_end(trainer, pl_module)
            self.due = time.monotonic() + 20 * (time.monotonic() - began)


def checkpoint_in(work: Path) -> Path | None:
    """The file that `Last` left in the folder; None if there is none.

    One that is damaged is deleted, with a word about it: the training begins anew. Its shapes are
    those of the model, since the folder is tied to the row, its data and its code.
    """
    file = work / "last.ckpt"
    if not file.exists():
        return None
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        if state.keys() >= CONTENT:
            return file
        problem = "it holds no state of a training"
    except Exception as error:  # torch raises a dozen kinds
        problem = str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__
    say(f"{file} is damaged ({cut(problem)}); it is deleted, and the training begins anew")
    file.unlink(missing_ok=True)
    return None


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
) -> float:
    """Trains the module, from the checkpoint in `work` if there is one, and leaves it on the device
    that trained it.

    Args:
        device: auto, cpu, cuda or mps.

    Returns:
        Seconds of all epochs, those before an interruption included.

    Raises:
        UserError: the device is not there, or not that many of them.
    """
    quieten()
    clock = Timer()
    trainer = _trainer(device, max_epochs, [*callbacks, clock, Last(work)], processes)
    trainer.fit(module, ckpt_path=checkpoint_in(work), weights_only=True)
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


def _trainer(
    device: str, max_epochs: int, callbacks: list[Callback], processes: Processes
) -> pl.Trainer:
    """A trainer without logger, summary and sanity check."""
    try:
        return pl.Trainer(
            accelerator=device,
            devices=processes.devices,
            num_nodes=processes.num_nodes,
            strategy="auto" if processes.n == 1 else "ddp",
            max_epochs=max_epochs,
            callbacks=callbacks,
            logger=False,
            num_sanity_val_steps=0,
            enable_model_summary=False,
            enable_progress_bar=sys.stderr.isatty(),
        )
    except MisconfigurationException:
        name = device if processes.devices == 1 else f"{processes.devices} times {device}"
        raise UserError(f"device is {name}, which torch does not find on this machine") from None
