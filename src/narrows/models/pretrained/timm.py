"""A network of timm's (Wightman 2019), for pictures: its features before the classifier.

Any model of timm.list_models(): resnet18, vit_small_patch14_dinov2, convnext_tiny.fb_in22k, ... The
weights come over the network the first time and lie in the Hugging Face cache from then on, or are
a file of yours; in both cases .safetensors. Needs timm: `pip install 'narrows[timm]'`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.config.messages import abbreviated, nearest
from narrows.config.plugins import config
from narrows.errors import UserError
from narrows.models.pretrained import _hub, _pictures, _weights
from narrows.models.pretrained._base import Classifier, Kind, Weights

if TYPE_CHECKING:
    import torch

KIND: Kind = "pictures"
N_CLASSES = 1000  # of ImageNet


@config
class Config:
    model: str
    """Name of a model of timm's, with or without the tag of its weights: resnet18.a1_in1k."""
    path: str | None = None
    """A .safetensors file with its weights; those that timm has published if not given. Licence and
    training data are those of the tag in `model`, not stated without one."""


def size(cfg: Config) -> int:
    """Side in pixels of the squares that it takes."""
    return int(_data(cfg)["input_size"][-1])


def weights(cfg: Config) -> Weights:
    """The file that `path` names, or that of the Hugging Face cache; downloaded where it is not."""
    published = _published(cfg)
    if cfg.path is not None:
        file = _weights.own_safetensors(cfg.path)
        if "." not in cfg.model:
            return Weights(file, "not stated", "not stated")
    elif published.hf_hub_id is None:
        raise UserError(
            f"params.yaml: pretrained: timm has published no .safetensors file of {cfg.model}: "
            "`path` names one of yours"
        )
    else:
        file = _hub.file(published.hf_hub_id, "model.safetensors")
    licence = published.license if published.license != "unknown" else None
    data = published.description or (f"timm's tag {published.tag}" if published.tag else None)
    return Weights(file, licence or "not stated", data or "not stated")


def load(cfg: Config, device: torch.device) -> tuple[torch.nn.Module, torch.nn.Module]:
    """The network without its classifier, and the classifier."""
    import timm

    file = weights(cfg).file
    try:
        n_classes = _n_classes(cfg, file)
        origin = {"file": str(file), "num_classes": n_classes}
        network: Any = timm.create_model(
            cfg.model, pretrained=True, num_classes=n_classes, pretrained_cfg_overlay=origin
        )
    except Exception as error:  # a file may hold anything
        message = _weights.on_a_line(error)
        raise UserError(f"{file}: no weights of timm's {cfg.model}: {message}") from None
    last = network.get_classifier()
    network.reset_classifier(0)
    return network.eval().to(device), last


def classifier(cfg: Config, network: Any) -> Classifier | None:
    """Its own last layer and the names of ImageNet's classes, where it was taught those 1,000."""
    import torch

    _, last = network
    knows_words = isinstance(last, torch.nn.Linear) and last.out_features == N_CLASSES
    return _weights.classifier(last) if knows_words and last.bias is not None else None


def features(cfg: Config, network: Any, originals: np.ndarray | Sequence[str]) -> np.ndarray:
    """Features (B, D) of pictures uint8 (B, 3, size, size)."""
    import torch

    body, _ = network
    data = _data(cfg)
    x = torch.from_numpy(_pictures.standardised(originals, data["mean"], data["std"]))
    z = body(x.to(next(body.parameters()).device))
    return _pictures.vectors(z.float().cpu().numpy(), len(x), cfg.model)


def _n_classes(cfg: Config, file: Path) -> int:
    """How many classes the last layer in the file has; 0 where a file of the user's has none."""
    import safetensors

    published = _published(cfg)
    with safetensors.safe_open(file, "np") as weights_of:
        last = published.classifier
        name = f"{last if isinstance(last, str | None) else last[0]}.weight"
        if name in weights_of.keys():
            return int(weights_of.get_slice(name).get_shape()[0])
    return 0 if cfg.path is not None else int(published.num_classes)


def _data(cfg: Config) -> dict[str, Any]:
    """Size, mean and standard deviation of pictures as the model was trained on them."""
    from timm.data import resolve_data_config

    return dict(resolve_data_config(pretrained_cfg=_published(cfg).to_dict()))


def _published(cfg: Config) -> Any:
    """What timm says of the model's weights."""
    try:
        import timm
    except ImportError:
        raise _weights.missing("timm", "timm", "timm") from None
    published = timm.get_pretrained_cfg(cfg.model) if ":" not in cfg.model else None
    if published is None:
        known = [*timm.list_models(), *timm.list_pretrained()]
        raise UserError(
            f"params.yaml: pretrained: model: {abbreviated(cfg.model)} is no model of timm's"
            f"{nearest(cfg.model, known)}"
        )
    if len(set(published.input_size[1:])) > 1:
        raise UserError(
            f"params.yaml: pretrained: model: {cfg.model} takes no square pictures; choose another"
        )
    return published
