"""A network of your own as an ONNX file, for pictures: DINOv2, CLIP or whatever you have.

Its first input is float32 (B, 3, size, size), red, green and blue of 0 to 1 less `mean`, divided by
`std`. Its first output is the features (B, D); of maps (B, D, H, W) the mean over the picture is
taken, of tokens (B, T, D) the first. Needs onnxruntime: `pip install 'narrows[onnx]'`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, PositiveFloat

from narrows.config.plugins import config
from narrows.errors import UserError
from narrows.models.pretrained._base import Classifier, Kind, Weights
from narrows.store import project

if TYPE_CHECKING:
    import torch

KIND: Kind = "pictures"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as most networks take it
Colours = Annotated[tuple[float, ...], Field(min_length=3, max_length=3)]
Scales = Annotated[tuple[PositiveFloat, ...], Field(min_length=3, max_length=3)]


@config
class Config:
    path: str
    """The .onnx file; ~ is your home."""
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


def size(cfg: Config) -> int:
    """Side in pixels of the squares that it takes."""
    return cfg.size


def weights(cfg: Config) -> Weights:
    """The file itself."""
    file = project.locate(cfg.path)
    if not file.is_file():
        raise UserError(f"params.yaml: pretrained: path: there is no file {file}")
    return Weights(file, cfg.licence, cfg.trained_on)


def load(cfg: Config, device: torch.device) -> Any:
    """A session of onnxruntime; on the CPU, wherever other networks are."""
    try:
        import onnxruntime
    except ImportError:
        raise UserError(
            "params.yaml: pretrained: onnx needs the package onnxruntime, which is not on this "
            "machine; `pip install 'narrows[onnx]'` brings it"
        ) from None
    file = weights(cfg).file
    try:
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    except Exception as error:  # a file may hold anything
        message = " ".join(str(error).split())[:200]
        raise UserError(f"{file}: no ONNX file that can be read: {message}") from None
    return session


def classifier(cfg: Config, network: Any) -> Classifier | None:
    """None: it was taught no classes."""
    return None


def features(cfg: Config, network: Any, originals: np.ndarray | Sequence[str]) -> np.ndarray:
    """Features (B, D) of pictures uint8 (B, 3, size, size)."""
    from narrows.data.unit import WHITE

    mean, std = (np.array(part, np.float32).reshape(3, 1, 1) for part in (cfg.mean, cfg.std))
    x = (np.asarray(originals, np.float32) / WHITE - mean) / std
    try:
        result = network.run(None, {network.get_inputs()[0].name: x})[0]
    except Exception as error:  # of shapes and types, for the most part
        message = " ".join(str(error).split())[:200]
        raise UserError(f"{cfg.path}: does not take pictures {x.shape[1:]}: {message}") from None
    result = np.asarray(result, np.float32)
    if result.ndim == 4:
        result = result.mean(axis=(2, 3))
    if result.ndim == 3:
        result = result[:, 0]
    if result.ndim != 2 or len(result) != len(x):
        raise UserError(f"{cfg.path}: its first output should be (B, D), found {result.shape}")
    return result
