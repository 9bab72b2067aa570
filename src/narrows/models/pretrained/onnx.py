"""A network of your own as an ONNX file, for pictures: DINOv2, CLIP or whatever you have.

Its first input is float32 (B, 3, size, size), red, green and blue of 0 to 1 less `mean`, divided by
`std`. Its first output is the features (B, D); of maps (B, D, H, W) the mean over the picture is
taken, of tokens (B, T, D) the first. Needs onnxruntime: `pip install 'narrows[onnx]'`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.config.plugins import config
from narrows.errors import UserError
from narrows.models.pretrained import _pictures, _weights
from narrows.models.pretrained._base import Classifier, Kind
from narrows.models.pretrained._pictures import size, weights

if TYPE_CHECKING:
    import torch

__all__ = ["KIND", "Config", "classifier", "features", "load", "size", "weights"]

KIND: Kind = "pictures"


@config
class Config(_pictures.OwnFile):
    pass


def load(cfg: Config, device: torch.device) -> Any:
    """A session of onnxruntime; on the CPU, wherever other networks are."""
    try:
        import onnxruntime
    except ImportError:
        raise _weights.missing("onnx", "onnxruntime", "onnx") from None
    file = weights(cfg).file
    try:
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    except Exception as error:  # a file may hold anything
        message = _weights.on_a_line(error)
        raise UserError(f"{file}: no ONNX file that can be read: {message}") from None
    return session


def classifier(cfg: Config, network: Any) -> Classifier | None:
    """None: it was taught no classes."""
    return None


def features(cfg: Config, network: Any, originals: np.ndarray | Sequence[str]) -> np.ndarray:
    """Features (B, D) of pictures uint8 (B, 3, size, size)."""
    x = _pictures.standardised(originals, cfg.mean, cfg.std)
    try:
        answer = network.run(None, {network.get_inputs()[0].name: x})[0]
    except Exception as error:  # of shapes and types, for the most part
        message = _weights.on_a_line(error)
        raise UserError(f"{cfg.path}: does not take pictures {x.shape[1:]}: {message}") from None
    return _pictures.vectors(answer, len(x), cfg.path)
