"""Lightning's trainer, told to do what its callbacks say and nothing else."""

import logging
import sys
import warnings

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from narrows.errors import UserError

warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec.`")  # Lightning 2.6, torch 2.15
warnings.filterwarnings("ignore", "Checkpoint directory .* exists")  # meant: it is resumed
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)


def trainer_on(device: str, max_epochs: int, callbacks: list[Callback]) -> pl.Trainer:
    """A trainer for one device, without logger, summary and sanity check.

    Args:
        device: auto, cpu, cuda or mps.

    Raises:
        UserError: the device is not there.
    """
    try:
        return pl.Trainer(
            accelerator=device,
            devices=1,
            max_epochs=max_epochs,
            callbacks=callbacks,
            logger=False,
            num_sanity_val_steps=0,
            enable_model_summary=False,
            enable_progress_bar=sys.stderr.isatty(),
        )
    except MisconfigurationException:
        raise UserError(f"device is {device}, which torch does not find on this machine") from None
