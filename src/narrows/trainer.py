"""Lightning's trainer, told to do what its callbacks say and nothing else."""

import logging
import os
import sys
import warnings
from dataclasses import dataclass

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from narrows.errors import UserError

warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec.`")  # Lightning 2.6, torch 2.15
warnings.filterwarnings("ignore", "Checkpoint directory .* exists")  # meant: it is resumed
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Processes:
    """Those that train one model together, each on its share of every batch (Lightning's DDP).

    On one machine Lightning starts them itself, by calling the script again.
    """

    devices: int = 1
    """Of a machine, a process each."""
    num_nodes: int = 1
    """Machines; on each of them the same script is started, as Lightning's documentation says."""

    @property
    def n(self) -> int:
        return self.devices * self.num_nodes

    @property
    def leads(self) -> bool:
        """Whether this one writes and logs; the others only compute."""
        ranks = (os.environ.get(name, "0") for name in RANKS)
        return self.n == 1 or all(rank == "0" for rank in ranks)


ALONE = Processes()
RANKS = ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")  # torchrun's, Slurm's, Lightning's


def trainer_on(
    device: str, max_epochs: int, callbacks: list[Callback], processes: Processes = ALONE
) -> pl.Trainer:
    """A trainer without logger, summary and sanity check.

    Args:
        device: auto, cpu, cuda or mps.

    Raises:
        UserError: the device is not there, or not that many of them.
    """
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
        wanted = device if processes.devices == 1 else f"{processes.devices} times {device}"
        raise UserError(f"device is {wanted}, which torch does not find on this machine") from None
