"""Lightning as its documentation shows it: TensorDataset, DataLoader, self.log, MLFlowLogger; on a
GPU a CSVLogger, because such machines often lack MLflow."""

import functools
import tempfile
import warnings
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger, MLFlowLogger
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from contenders import _torch
from contenders.job import Job

warnings.filterwarnings("ignore")


class Module(pl.LightningModule):
    def __init__(self, job: Job, lr: float = 1e-3):
        super().__init__()
        self.job, self.lr, self.model = job, lr, _torch.network(job)

    def training_step(self, batch: Any, _: int) -> Tensor:
        loss = _torch.loss(self.job, self.model(batch[0]), batch[0])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, _: int) -> None:
        self.log("val_loss", _torch.loss(self.job, self.model(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


@functools.cache
def store() -> str:
    """MLflow makes its tables once, which is no part of a time."""
    return f"sqlite:///{tempfile.mkdtemp()}/mlflow.db"


def fit(job: Job) -> float:
    train, val = _torch.tensors(job)
    return trained(Module(job), train, val)


def trained(module: Module, train: Tensor, val: Tensor) -> float:
    """The validation loss of the last epoch."""
    size, on_cpu = module.job.batch_size, module.job.device == "cpu"
    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            max_epochs=module.job.epochs,
            accelerator=module.job.device,
            logger=MLFlowLogger("bench", tracking_uri=store()) if on_cpu else CSVLogger(folder),
            default_root_dir=folder,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(
            module,
            DataLoader(TensorDataset(train), size, shuffle=True),
            DataLoader(TensorDataset(val), size),
        )
        return float(trainer.callback_metrics["val_loss"])
