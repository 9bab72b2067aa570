"""The sample itself as its code: what clustering achieves on bare pixels or columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from narrows.config.plugins import config
from narrows.models.baselines._base import BaselineRow

if TYPE_CHECKING:
    import numpy as np


@config
class Config(BaselineRow):
    pass


def fit(cfg: Config, x: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Nothing to learn from x (N, D)."""
    return {}


def encode(state: Mapping[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """x (N, D)."""
    return x


def decode(state: Mapping[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    """z (N, D)."""
    return z
