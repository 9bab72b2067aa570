"""The contract of a baseline: an encoder that needs no training by gradients."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from narrows.config.plugins import ASIDE, config
from narrows.config.sections import SAMPLES

if TYPE_CHECKING:
    import numpy as np


@config
class BaselineRow:
    """What a row of `baselines:` says, whatever its kind: base of every kind's `Config`."""

    input: str = SAMPLES
    """What it takes: `samples`, or the key of a row of `pretrained`, whose features it takes."""
    log_model: bool = dataclasses.field(default=False, metadata=ASIDE)
    """Whether stage `report` logs the encoder to MLflow as a model, too; no result depends on
    it."""


@runtime_checkable
class Baseline(Protocol):
    """A file of this folder. `encode` and `decode` get no `cfg`: what they need is in the state."""

    Config: type[BaselineRow]

    def fit(self, cfg: Any, x: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        """The state that is learned from train samples x (N, F), float32 and flat: arrays by name,
        which are saved without pickle."""
        ...

    def encode(self, state: Mapping[str, np.ndarray], x: np.ndarray) -> np.ndarray:
        """Codes (N, D) of samples x (N, F)."""
        ...

    def decode(self, state: Mapping[str, np.ndarray], z: np.ndarray) -> np.ndarray:
        """Reconstructions (N, F) from codes z (N, D)."""
        ...
