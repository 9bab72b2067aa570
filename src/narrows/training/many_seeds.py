"""One row trained from several seeds at once: as many models, and one step for all of them.

A step of a small network leaves most of a GPU idle. Here the weights of all models lie in one
tensor a layer, and `torch.func.vmap` makes one product of theirs. Every model has the batches, the
noise and the patience that it has alone, and so its results, up to rounding.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from narrows.config.plugins import Plugin
from narrows.data.on_disk import Samples, StoredSamples
from narrows.data.unit import to_unit
from narrows.models.autoencoder import Autoencoder, corrupt
from narrows.models.autoencoders._base import Kind
from narrows.models.devices import device_named, precision_on
from narrows.training.batches import Shuffled
from narrows.training.fitting import Fit, Fitted, fit, fit_models
from narrows.training.schedules._base import Schedule

log = logging.getLogger(__name__)

State = tuple[dict[str, Tensor], dict[str, Tensor]]
"""Weights and buffers of M models, (M, ...) by name."""


class Abreast:
    """Blocks of the mini-batches of several epochs side by side: row numbers (M, B)."""

    def __init__(self, epochs: list[Shuffled]):
        self.epochs = epochs

    def __len__(self) -> int:
        return len(self.epochs[0])

    def __iter__(self) -> Iterator[list[tuple[Tensor, ...]]]:
        for blocks in zip(*self.epochs, strict=True):  # M blocks of up to 32 steps
            yield [_abreast(steps) for steps in zip(*blocks, strict=True)]


def _abreast(steps: tuple[tuple[Tensor, ...], ...]) -> tuple[Tensor, ...]:
    """Batches (M, B) of a step of M models, each of which has as many batches (B,)."""
    return tuple(torch.stack(rows) for rows in zip(*steps, strict=True))


class FitTogether(Fit):
    """`Fit` with one dimension more, in front: that of M models of one row."""

    def __init__(self, row: Plugin, train: Samples, val: Samples, seeds: tuple[int, ...]):
        super().__init__(row, train, val, *seeds)
        self._models = [self.model]
        for seed in seeds[1:]:
            pl.seed_everything(seed, verbose=False)
            self._models.append(Autoencoder(row, tuple(train.shape[1:])))
        self.others = nn.ModuleList(self._models[1:])  # so that they move as `model` does

    @property
    def models(self) -> list[Autoencoder]:
        return self._models

    def weights(self) -> list[Tensor]:
        """Weights of all models, a tensor (M, ...) per weight; the models' own become views."""
        self.state: State = stack_module_state(self._models)
        stacked = self.state[0] | self.state[1]
        for i, model in enumerate(self._models):
            for name, weight in (*model.named_parameters(), *model.named_buffers()):
                weight.data = stacked[name].data[i]  # (M, ...) -> (...): what is stepped, in place
        return list(self.state[0].values())

    def train_dataloader(self) -> Abreast:  # type: ignore[override]
        return Abreast([self._shuffled(seed) for seed in self.seeds])

    def clip(self, largest: float) -> None:
        """Shortens the gradient of each model whose norm is larger, as torch's function would."""
        gradients = [weight.grad for weight in self.state[0].values() if weight.grad is not None]
        norms = [gradient.flatten(1).norm(dim=1) for gradient in gradients]  # (M,) by weight
        shares = (largest / (torch.stack(norms).norm(dim=0) + 1e-6)).clamp(max=1)  # (M,)
        for gradient in gradients:
            gradient *= shares.reshape(-1, *[1] * (gradient.dim() - 1))

    def _terms(self, clean: Tensor, split: str) -> Tensor:
        """The sum of the models' losses, on batches (M, B, ...) or on one (B, ...) for all."""
        clean = clean if split == "train" else clean.expand(len(self.seeds), *clean.shape)
        pairs = zip(clean, self.noises, strict=True)  # (B, ...) and its model's own generator
        noisy = torch.stack([corrupt(self.row.config.corruption, x, noise) for x, noise in pairs])
        with self.autocast(training=split == "train"):
            terms = terms_by_model(self.model, self.state, noisy, clean)  # (M,) each
        for name, values in terms.items():
            self.add(f"{split}/{name}", values * clean.shape[1])  # means over B -> sums
        return terms["loss"].sum()  # no model's weights move another's loss


def terms_by_model(
    model: Autoencoder, state: State, noisy: Tensor, clean: Tensor
) -> dict[str, Tensor]:
    """The loss and its terms, (M,) each, of M models like `model` on batches (M, B, ...).

    Raises:
        RuntimeError: the loss draws random numbers, or does what `vmap` cannot.
    """

    def terms(weights: dict[str, Tensor], buffers: dict[str, Tensor], *batch: Tensor) -> Any:
        return functional_call(model, (weights, buffers), batch)  # of one model: () each

    by_model: dict[str, Tensor] = vmap(terms)(*state, noisy, clean)
    return by_model


def why_alone(row: Plugin, train: Samples, device: str = "auto") -> str | None:
    """Why models of this row cannot be trained together; None if they can."""
    kind: Kind = row.module
    schedule: Schedule = row.config.train.schedule.module
    if isinstance(train, StoredSamples):
        return "its samples are read from disk"
    if kind.layers(row.config):
        return "its layers are trained one after the other"
    if schedule.FOLLOWS_LOSS:
        return "its rate follows its own loss"
    if precision_on(device_named(device), row.config.train.precision) == "fp16":
        return "an infinite gradient of one would hold back all"
    if row.config.train.ema is not None:
        return "train.ema keeps an average of its weights"
    pair = [Autoencoder(row, tuple(train.shape[1:])) for _ in range(2)]
    x = torch.stack([to_unit(train[:4])] * 2)  # (2, 4, ...)
    try:
        terms_by_model(pair[0], stack_module_state(pair), x, x)["loss"].sum().backward()
    except RuntimeError as error:
        return str(error).partition(".")[0]
    return None


def fit_together(
    row: Plugin,
    train: Samples,
    val: Samples,
    *,
    seeds: tuple[int, ...],
    work: Path,
    device: str = "auto",
) -> list[Fitted]:
    """The row as `fitting.fit` trains it, from each of the seeds; resumes from `work` if it can.

    Every model has the same share of the seconds. Where they cannot be trained at once, they are
    trained one after the other, and a warning says why.

    Args:
        train, val: samples (N, ...) as stored.
        work: folder of checkpoints.
        device: auto, cpu, cuda or mps.
    """
    if reason := why_alone(row, train, device):
        log.warning("each seed is trained on its own: %s", reason)
        return [
            fit(row, train, val, seed=seed, device=device, work=work / str(seed)) for seed in seeds
        ]
    return fit_models(FitTogether(row, train, val, seeds), device, work)
