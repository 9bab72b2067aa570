"""Principal components (Pearson 1901), the best linear code of its size; scikit-learn's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field, PlainValidator, PositiveInt

from narrows.config.messages import abbreviated
from narrows.config.plugins import config
from narrows.errors import UserError
from narrows.models.baselines._base import BaselineRow


def _size(value: Any) -> int | float:
    if (type(value) is int and value > 0) or (type(value) is float and 0 < value < 1):
        return value
    accepted = "accepted are whole numbers from 1 on, and shares between 0 and 1"
    raise ValueError(f"code_size: {accepted}, found {abbreviated(value)}")


SHARE = Annotated[float, Field(gt=0, lt=1)]
_SIZE = PlainValidator(_size, json_schema_input_type=PositiveInt | SHARE)


@config
class Config(BaselineRow):
    code_size: Annotated[int | float, _SIZE]
    """Number of components, at most the number of features; or the share of the variance that they
    explain, like 0.9, which suits data of any size."""


def fit(cfg: Config, x: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Mean (D,) and orthonormal components (K, D) of x (N, D)."""
    from sklearn.decomposition import PCA

    if cfg.code_size > min(x.shape):
        raise UserError(
            f"params.yaml: baselines: pca.code_size is {cfg.code_size}, but the training data, "
            f"{x.shape[0]} rows of {x.shape[1]} features, has at most {min(x.shape)} components"
        )
    pca = PCA(cfg.code_size, random_state=seed).fit(x)  # of a share, scikit-learn takes all first
    return {"mean": pca.mean_, "components": pca.components_}


def encode(state: Mapping[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """Codes (N, K) of x (N, D)."""
    return (x - state["mean"]) @ state["components"].T


def decode(state: Mapping[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    """The nearest points (N, D) of the principal subspace."""
    return z @ state["components"] + state["mean"]
