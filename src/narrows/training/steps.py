"""Base of trainings and refinements: steps that Lightning sees in blocks, sums on the device."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.amp import GradScaler

from narrows.models import devices
from narrows.models.autoencoder import Autoencoder
from narrows.training import cuda_graph
from narrows.training.cuda_graph import Batch


class Stepping(pl.LightningModule):
    """Takes its optimiser steps itself, recorded as a CUDA graph where one process has a GPU.

    So a step depends on nothing that Python changes between two steps: `loss` reads tensors that
    are changed in place, and adds to `sums`.
    """

    model: Autoencoder

    def __init__(self, n_noises: int = 1) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.n_noises = n_noises
        self._state_of_scaler: dict[str, Any] = {}
        self.sums: dict[str, Tensor] = {}
        """Sum of each term over the samples seen this epoch. It is on the device, so that there is
        one transfer an epoch."""

    def loss(self, *batch: Tensor) -> Tensor:
        """The loss (), of a batch of samples (B, ...) and what goes with them."""
        raise NotImplementedError

    def on_fit_start(self) -> None:  # Lightning calls it for a finished training, too
        self.precision = devices.precision_on(self.device, self.model.cfg.train.precision)
        # gradients of fp16 would vanish below 6e-8; for the others the scaler does nothing
        self.scaler = GradScaler(self.device.type, enabled=self.precision == "fp16")
        if self._state_of_scaler:
            self.scaler.load_state_dict(self._state_of_scaler)

    def on_train_start(self) -> None:
        self.noises = [torch.Generator(self.device) for _ in range(self.n_noises)]
        self.recorded = None
        if self.trainer.world_size == 1:
            cuda_graph.settle(self.optimizer(), self.device)
            # the scaler asks after each step whether a gradient was infinite; no record fits that
            if self.device.type == "cuda" and not self.scaler.is_enabled():
                self.recorded = cuda_graph.steps_on_cuda(self.step, self.noises)

    def autocast(self, training: bool = True) -> torch.autocast:
        """A context in which the row's precision holds, in training only."""
        # the cache would keep the first weights where a penalty differentiates by itself
        precision = self.precision if training else "fp32"
        return devices.autocast(self.device, precision, cached=False)

    def take(self, batches: Iterable[Batch]) -> None:
        """Takes a step for each of the batches."""
        if self.recorded:
            self.recorded(batches)
        else:
            for batch in batches:
                self.step(*batch)
        # Lightning saves nothing unless it has counted a step: one in a block is enough
        loop = self.trainer.fit_loop.epoch_loop.manual_optimization
        loop.optim_step_progress.increment_completed()

    def step(self, *batch: Tensor) -> None:
        """One step of the optimiser, on a batch."""
        self.optimizer().zero_grad()
        self.backward_from(self.loss(*batch))
        self.step_optimizer()

    def backward_from(self, loss: Tensor) -> None:
        """Adds the gradient of a loss, in fp16 that of a multiple, which `step_optimizer` knows."""
        scaled = self.scaler.scale(loss)
        if self.trainer.world_size == 1:
            scaled.backward()
        else:  # Lightning asks its callbacks around it, a fifth of a small step, and prepares DDP
            self.manual_backward(scaled)

    def step_optimizer(self) -> None:
        """Moves the weights along the gradient; in fp16 not by one that is infinite."""
        self.scaler.step(self.optimizer())
        self.scaler.update()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["scaler"] = self.scaler.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._state_of_scaler = checkpoint["scaler"]

    def optimizer(self) -> torch.optim.Optimizer:
        """The module's only optimiser, not in Lightning's wrapper."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        return optimizer

    def add(self, name: str, value: Tensor) -> None:
        """Adds a value to the sum of that name."""
        if name in self.sums:
            self.sums[name] += value.detach()
        else:
            self.sums[name] = value.detach().clone()

    def empty_sums(self, prefix: str = "") -> None:
        """Sets the sums to 0 whose name starts with `prefix`, in place."""
        for name, total in self.sums.items():
            if name.startswith(prefix):
                total.zero_()
