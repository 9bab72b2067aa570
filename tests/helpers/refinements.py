"""Deep clusterings of seconds on three planted clusters, which may be killed."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from helpers.plugins import build, plugin, row
from narrows.clustering.job import Job, OnUpdate, Record
from narrows.clustering.refine import Refined
from narrows.config.plugins import Plugin

LABELS = np.repeat([0, 1, 2], 40)


def samples() -> torch.Tensor:
    """Three kinds of 8 x 8 pictures, each a bright third with noise."""
    x = np.random.default_rng(0).integers(0, 20, size=(120, 1, 8, 8))
    for label in range(3):
        x[label == LABELS, :, label * 3 : label * 3 + 2] += 230
    return torch.from_numpy(x.astype(np.uint8))


def method(name: str, **options: Any) -> Plugin:
    """A deep clusterer with settings that suit 120 pictures."""
    chosen = plugin("deep_clusterers", name)
    return dataclasses.replace(chosen, config=dataclasses.replace(chosen.config, **options))


def job(work: Path, name: str = "dec", **changes: Any) -> Job:
    kind, loss = ("variational", "bce") if name == "vade" else ("plain", "bce")
    base: dict[str, Any] = {
        "x": samples(),
        "fitted": np.arange(120) % 4 > 0,
        "model": build(row(kind, loss), (1, 8, 8)),
        "start": plugin("clusterers", "kmeans"),
        "n_clusters": 3,
        "augmentation": plugin("corruptions", "none"),
        "seed": 0,
        "device": "cpu",
        "work": work,
    }
    return Job(**base | changes)


class KilledError(Exception):
    pass


def killed_at(stop: int) -> OnUpdate:
    def killed(update: int, _: Record) -> None:
        if update == stop:
            raise KilledError

    return killed


def same(a: Refined, b: Refined) -> bool:
    weights = zip(a.model.parameters(), b.model.parameters(), strict=True)
    return (
        np.array_equal(a.soft, b.soft)
        and np.array_equal(a.codes, b.codes)
        and np.array_equal(a.assignments, b.assignments)
        and a.history == b.history
        and all(torch.equal(p, q) for p, q in weights)
    )
