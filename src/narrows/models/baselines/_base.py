"""The contract of a baseline: an encoder that needs no training by gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np


@runtime_checkable
class Baseline(Protocol):
    """A file of this folder. `encode` and `decode` get no `cfg`: what they need is in the state."""

    Config: type[Any]

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
