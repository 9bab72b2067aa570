"""Trainings of seconds, which may be killed."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from helpers.plugins import row
from narrows.config.plugins import Plugin
from narrows.training import fitting


class Killed(Exception):
    pass


def digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    x = torch.from_numpy((load_digits().data * 15.9).astype("uint8")).reshape(-1, 1, 8, 8)
    return x[:600], x[600:800]


def training_row(chosen: Plugin | None = None, **changes: Any) -> Plugin:
    """A row whose `train:` section has some fields replaced."""
    chosen = chosen or row()
    train = dataclasses.replace(chosen.config.train, **{"batch_size": 64, **changes})
    return dataclasses.replace(chosen, config=dataclasses.replace(chosen.config, train=train))


def fit(
    chosen: Plugin, work: Path, kill_after: int | None = None, kill_in_layer: int = 0
) -> fitting.Fitted:
    def on_epoch(epoch: int, metrics: dict[str, float], model: Any, layer: int = 0) -> None:
        assert (epoch == 0) == (not metrics)
        if (epoch, layer) == (kill_after, kill_in_layer):
            raise Killed

    train, val = digits()
    return fitting.fit(chosen, train, val, seed=0, device="cpu", work=work, on_epoch=on_epoch)


def same(a: fitting.Fitted, b: fitting.Fitted) -> bool:
    weights = zip(a.model.parameters(), b.model.parameters(), strict=True)
    return a.history == b.history and all(torch.equal(p, q) for p, q in weights)
