"""A classifier of torchvision's, trained on ImageNet: what its last layer is given are features.

Any model of torchvision.models with such weights: resnet50, vit_b_16, convnext_tiny, swin_t, ...
The weights come over the network the first time and lie in torch's cache from then on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.config.messages import abbreviated, nearest
from narrows.config.plugins import config
from narrows.errors import UserError
from narrows.models.pretrained import _pictures, _weights
from narrows.models.pretrained._base import Classifier, Kind, Weights

if TYPE_CHECKING:
    import torch

KIND: Kind = "pictures"


@config
class Config:
    model: str
    """Name of a classifier in torchvision.models."""


def size(cfg: Config) -> int:
    """Side in pixels of the squares that it takes."""
    return int(_published(cfg).transforms().crop_size[0])


def weights(cfg: Config) -> Weights:
    """The weights in torch's cache; downloaded where they are not."""
    import torch

    url = _published(cfg).url
    file = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(
                url, str(file), hash_prefix=_digest(file), progress=False
            )
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"params.yaml: pretrained: {cfg.model}: its weights are not in {file.parent} and "
                f"cannot be downloaded ({str(error)[:100]})"
            ) from None
    return Weights(file, "BSD-3-Clause", "ImageNet-1k, supervised")


def load(cfg: Config, device: torch.device) -> torch.nn.Module:
    """The classifier with its weights, which are those that torchvision has published."""
    import torch
    import torchvision

    file = weights(cfg).file
    _weights.checked(file, _digest(file))
    network = torchvision.models.get_model(cfg.model, weights=None)
    state = torch.load(file, map_location="cpu", weights_only=True)
    return _weights.into(network, state, file).to(device)


def classifier(cfg: Config, network: Any) -> Classifier | None:
    """Its own last layer, and the names of ImageNet's classes."""
    return _weights.classifier(_last_layer(network))


def features(cfg: Config, network: Any, originals: np.ndarray | Sequence[str]) -> np.ndarray:
    """Features (B, D) of pictures uint8 (B, 3, size, size): the input of the last linear layer."""
    import torch

    colours = _published(cfg).transforms()
    x = torch.from_numpy(_pictures.standardised(originals, colours.mean, colours.std))
    last = _last_layer(network)
    inputs: list[torch.Tensor] = []
    hook = last.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    try:
        network(x.to(next(network.parameters()).device))
    finally:
        hook.remove()
    return inputs[0].float().cpu().numpy()


def _digest(file: Path) -> str:
    """The beginning of a file's SHA-256, which torch has in its name."""
    return file.stem.rpartition("-")[2]


def _last_layer(network: Any) -> torch.nn.Linear:
    import torch

    return [part for part in network.modules() if isinstance(part, torch.nn.Linear)][-1]


def _published(cfg: Config) -> Any:
    """What torchvision says of the model's weights."""
    from torchvision.models import get_model_weights, list_models

    try:
        chosen = get_model_weights(cfg.model).DEFAULT
        is_classifier = len(chosen.meta.get("categories", ())) == 1000
    except (ValueError, AttributeError):
        is_classifier = False
    if not is_classifier:
        known = list_models()
        raise UserError(
            f"params.yaml: pretrained: model: {abbreviated(cfg.model)} is no classifier of "
            f"torchvision's with weights{nearest(cfg.model, known)}"
        )
    return chosen
