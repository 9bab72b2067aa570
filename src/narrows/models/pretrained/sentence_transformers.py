"""A model of sentence-transformers (Reimers & Gurevych 2019, arXiv:1908.10084), for texts.

Features of length 1. A folder of yours, or a name on the Hugging Face Hub, whose weights come over
the network the first time and lie in its cache from then on; .safetensors only, and no code of the
model's own is run. Needs sentence-transformers: `pip install sentence-transformers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.config.plugins import config
from narrows.errors import UserError
from narrows.models.pretrained import _hub, _weights
from narrows.models.pretrained._base import Classifier, Kind, Weights
from narrows.store import project

if TYPE_CHECKING:
    import torch

KIND: Kind = "texts"
FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "README.md")


@config
class Config:
    model: str
    """A folder, ~ is your home, or a name on the hub: all-mpnet-base-v2, BAAI/bge-small-en-v1.5."""


def size(cfg: Config) -> int:
    """0: texts have none."""
    return 0


def weights(cfg: Config) -> Weights:
    """The largest file of weights of the folder."""
    folder = _folder(cfg)
    files = sorted(folder.rglob("*.safetensors"), key=lambda file: file.stat().st_size)
    unsafe = [file for file in folder.rglob("pytorch_model.bin") if not _has_safe(file.parent)]
    if unsafe or not files:
        raise UserError(
            f"{unsafe[0] if unsafe else folder}: weights should be a .safetensors file; others may "
            "run code when they are read"
        )
    return Weights(files[-1], *_stated(folder))


def load(cfg: Config, device: torch.device) -> Any:
    """The model in eval mode."""
    weights(cfg)
    from sentence_transformers import (  # type: ignore[import-not-found, unused-ignore]
        SentenceTransformer,
    )

    folder = _folder(cfg)
    try:
        return SentenceTransformer(
            str(folder),
            device=str(device),
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # a folder may hold anything
        message = _weights.on_a_line(error)
        raise UserError(
            f"{folder}: no model of sentence-transformers that can be read: {message}"
        ) from None


def classifier(cfg: Config, network: Any) -> Classifier | None:
    """None: it was taught no classes."""
    return None


def features(cfg: Config, network: Any, originals: np.ndarray | Sequence[str]) -> np.ndarray:
    """Features (B, D) of B texts."""
    z = network.encode(
        [*originals], convert_to_tensor=True, normalize_embeddings=True, show_progress_bar=False
    )
    return np.asarray(z.float().cpu().numpy())


def _folder(cfg: Config) -> Path:
    """The user's folder, or that of the Hugging Face cache; downloaded where it is not."""
    if find_spec("sentence_transformers") is None:
        raise UserError(
            "params.yaml: pretrained: sentence_transformers needs the package "
            "sentence-transformers, which is not on this machine: pip install sentence-transformers"
        )
    place = project.locate(cfg.model)
    if place.is_dir():
        return place
    if cfg.model.startswith(("~", ".", "/")):
        raise UserError(f"params.yaml: pretrained: model: there is no folder {place}")
    repository = cfg.model if "/" in cfg.model else f"sentence-transformers/{cfg.model}"
    return _hub.folder(repository, FILES)


def _has_safe(folder: Path) -> bool:
    return any(folder.glob("*.safetensors"))


def _stated(folder: Path) -> tuple[str, str]:
    """Licence and training data as the model's card says them."""
    from huggingface_hub import ModelCard

    try:
        data = ModelCard.load(folder / "README.md").data
    except Exception:  # no card, or one that says nothing in a form to be read
        return "not stated", "not stated"
    sets = [data.datasets] if isinstance(data.datasets, str) else data.datasets or ()
    return str(data.license or "not stated"), ", ".join(map(str, sets)) or "not stated"
