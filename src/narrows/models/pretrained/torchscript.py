"""A network of your own as a TorchScript file, for pictures.

Its input is float32 (B, 3, size, size), red, green and blue of 0 to 1 less `mean`, divided by
`std`. Its first output is the features (B, D); of maps (B, D, H, W) the mean over the picture is
taken, of tokens (B, T, D) the first. Such a file holds code, which TorchScript's own interpreter
runs: take it from people you trust. PyTorch has deprecated the format; an ONNX file is its heir.
"""

from __future__ import annotations

import warnings
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


def load(cfg: Config, device: torch.device) -> tuple[Any, torch.device]:
    """The network in eval mode, and where it is; one without weights does not know."""
    import torch

    file = weights(cfg).file
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit.load. is deprecated")
        try:
            return torch.jit.load(str(file), map_location=device).eval(), device
        except Exception as error:  # a file may hold anything
            message = _weights.on_a_line(error)
            raise UserError(f"{file}: no TorchScript that can be read: {message}") from None


def classifier(cfg: Config, network: Any) -> Classifier | None:
    """None: it was taught no classes."""
    return None


def features(cfg: Config, network: Any, originals: np.ndarray | Sequence[str]) -> np.ndarray:
    """Features (B, D) of pictures uint8 (B, 3, size, size)."""
    import torch

    script, device = network
    x = _pictures.standardised(originals, cfg.mean, cfg.std)
    try:
        answer = script(torch.from_numpy(x).to(device))
        first = answer[0] if isinstance(answer, tuple | list) else answer
        result = first.float().cpu().numpy()
    except Exception as error:  # of shapes and types, for the most part
        message = _last_line(error)
        raise UserError(f"{cfg.path}: does not take pictures {x.shape[1:]}: {message}") from None
    return _pictures.vectors(result, len(x), cfg.path)


def _last_line(error: Exception) -> str:
    """What went wrong, without the lines of TorchScript's code before it."""
    lines = str(error).strip().splitlines()
    return lines[-1][:200] if lines else type(error).__name__
