"""A CLIP of open_clip's (Radford et al. 2021, arXiv:2103.00020; Cherti et al. 2022,
arXiv:2212.07143), for pictures: what was learned from their captions.

The image tower's features, of length 1. The text tower has words for them, those of ImageNet's
classes: "a photo of a daisy". The weights come over the network the first time and lie in the
Hugging Face cache from then on, or are a file of yours; in both cases .safetensors. Needs
open_clip: `pip install 'narrows[clip]'`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
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
SENTENCES = ("a photo of a {}",)
N_TOGETHER = 50
"""Words that go through the text tower together."""


@config
class Config:
    model: str
    """Name of a model of open_clip's: ViT-B-32."""
    pretrained: str
    """Tag of its weights: laion2b_s34b_b79k. It says how pictures are prepared, too."""
    path: str | None = None
    """A .safetensors file with these weights; the published one if not given."""


def size(cfg: Config) -> int:
    """Side in pixels of the squares that it takes."""
    _published(cfg)
    import open_clip

    side = open_clip.get_model_config(cfg.model)["vision_cfg"]["image_size"]
    return int(side if isinstance(side, int) else side[0])


def weights(cfg: Config) -> Weights:
    """The file that `path` names, or that of the Hugging Face cache; downloaded where it is not."""
    published = _published(cfg)
    if cfg.path is not None:
        file = _weights.own_safetensors(cfg.path)
    else:
        repository, _, name = published["hf_hub"].rpartition("/")
        safe = PurePosixPath(name or "open_clip_model").with_suffix(".safetensors")
        file = _hub.file(repository, str(safe))
    return Weights(file, "not stated", f"pictures and their captions: {cfg.pretrained}")


def load(cfg: Config, device: torch.device) -> torch.nn.Module:
    """Both towers with their weights."""
    file, published = weights(cfg).file, _published(cfg)
    import open_clip

    try:
        network = open_clip.create_model(
            cfg.model,
            pretrained=str(file),
            force_quick_gelu=bool(published.get("quick_gelu")),
            device=device,
        )
    except Exception as error:  # a file may hold anything
        message = _weights.on_a_line(error)
        raise UserError(f"{file}: no weights of open_clip's {cfg.model}: {message}") from None
    return network.eval()


def classifier(cfg: Config, network: Any) -> Classifier | None:
    """What its text tower makes of the names of ImageNet's classes; None where texts are cut into
    pieces by what is not in open_clip's package."""
    import open_clip
    import torch

    if "hf_tokenizer_name" in open_clip.get_model_config(cfg.model)["text_cfg"]:
        return None
    words = open_clip.IMAGENET_CLASSNAMES
    with torch.inference_mode():
        embedded = open_clip.build_zero_shot_classifier(
            network,
            open_clip.get_tokenizer(cfg.model),
            words,
            SENTENCES,
            num_classes_per_batch=N_TOGETHER,
            device=network.logit_scale.device,
        )
        weight = (network.logit_scale.exp() * embedded).T.float().cpu().numpy()
    return Classifier(weight, np.zeros(len(words), np.float32), tuple(words))


def features(cfg: Config, network: Any, originals: np.ndarray | Sequence[str]) -> np.ndarray:
    """Features (B, D), of length 1, of pictures uint8 (B, 3, size, size)."""
    import torch

    published = _published(cfg)
    x = torch.from_numpy(_pictures.standardised(originals, published["mean"], published["std"]))
    z = network.encode_image(x.to(network.logit_scale.device))
    return torch.nn.functional.normalize(z.float(), dim=-1).cpu().numpy()


def _published(cfg: Config) -> dict[str, Any]:
    """What open_clip says of the weights.

    Raises:
        UserError: it is not installed, or has no such model or weights.
    """
    try:
        import open_clip
    except ImportError:
        raise _weights.missing("open_clip", "open_clip_torch", "clip") from None
    published = dict(open_clip.get_pretrained_cfg(cfg.model, cfg.pretrained))
    if not published:
        known = [" ".join(names) for names in open_clip.list_pretrained()]
        chosen = f"{cfg.model} {cfg.pretrained}"
        raise UserError(
            f"params.yaml: pretrained: model, pretrained: {abbreviated(chosen)} are no model and "
            f"weights of open_clip's{nearest(chosen, known)}"
        )
    if "hf_model_name" in open_clip.get_model_config(cfg.model)["text_cfg"]:
        raise UserError(
            f"params.yaml: pretrained: model: {cfg.model} has a text tower that open_clip would "
            "fetch from elsewhere; choose another"
        )
    return published
