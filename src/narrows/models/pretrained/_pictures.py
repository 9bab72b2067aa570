"""Pictures as networks take them, and what they answer as features; keys of a file of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveFloat

from narrows.config.plugins import config
from narrows.errors import UserError
from narrows.models.pretrained import _weights
from narrows.models.pretrained._base import Weights

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as most networks take it
Colours = Annotated[tuple[float, ...], Field(min_length=3, max_length=3)]
Scales = Annotated[tuple[PositiveFloat, ...], Field(min_length=3, max_length=3)]


@config
class OwnFile:
    """A network in a file, which does not say how it wants its pictures."""

    path: str
    """The file; ~ is your home."""
    size: Annotated[int, Field(ge=8, le=1024)] = 224
    """Side in pixels of the squares that it takes."""
    mean: Colours = MEAN
    """What is taken off red, green and blue; that of ImageNet if not given."""
    std: Scales = STD
    """What they are divided by then; that of ImageNet if not given."""
    licence: str = "not stated"
    """Licence of the weights, for the tables."""
    trained_on: str = "not stated"
    """What it was trained on, for the tables."""


def size(cfg: OwnFile) -> int:
    """Side in pixels of the squares that it takes."""
    return cfg.size


def weights(cfg: OwnFile) -> Weights:
    """The file itself; raises `UserError` where there is none."""
    return Weights(_weights.own_file(cfg.path), cfg.licence, cfg.trained_on)


def standardised(
    originals: np.ndarray | Sequence[str], mean: Sequence[float], std: Sequence[float]
) -> np.ndarray:
    """Pictures uint8 (B, 3, size, size) as float32: 0 to 1 less the mean, divided by std."""
    from narrows.data.unit import WHITE

    centre, scale = (np.array(part, np.float32).reshape(3, 1, 1) for part in (mean, std))
    x = (np.asarray(originals, np.float32) / WHITE - centre) / scale
    return np.asarray(x, np.float32)


def vectors(answer: np.ndarray, n: int, what: str) -> np.ndarray:
    """Features (B, D), float32, of a network's answer for n pictures: of maps (B, D, H, W) the mean
    over the picture, of tokens (B, T, D) the first.

    Args:
        what: the network, for the message.

    Raises:
        UserError: the answer has another shape.

    >>> vectors(np.ones((2, 3, 4, 4)), 2, "n.onnx").shape
    (2, 3)
    """
    result = np.asarray(answer, np.float32)
    if result.ndim == 4:
        result = result.mean(axis=(2, 3))
    if result.ndim == 3:
        result = result[:, 0]
    if result.ndim != 2 or len(result) != n:
        raise UserError(f"{what}: its first output should be (B, D), found {result.shape}")
    return result
