"""Principal components (Pearson 1901), the best linear code of its size; scikit-learn's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import PositiveInt

from narrows.config.plugins import config
from narrows.errors import UserError


@config
class Config:
    code_size: PositiveInt
    """Number of components, at most the number of features."""


def fit(cfg: Config, x: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Mean (D,) and orthonormal components (code_size, D) of x (N, D)."""
    from sklearn.decomposition import PCA

    if cfg.code_size > min(x.shape):
        raise UserError(
            f"params.yaml: baselines: pca.code_size is {cfg.code_size}, but the training data, "
            f"{x.shape[0]} rows of {x.shape[1]} features, has at most {min(x.shape)} components"
        )
    pca = PCA(cfg.code_size, random_state=seed).fit(x)
    return {"mean": pca.mean_, "components": pca.components_}


def encode(state: Mapping[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """Codes (N, code_size) of x (N, D)."""
    return (x - state["mean"]) @ state["components"].T


def decode(state: Mapping[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    """The nearest points (N, D) of the principal subspace."""
    return z @ state["components"] + state["mean"]
