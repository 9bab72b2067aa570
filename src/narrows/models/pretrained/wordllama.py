"""WordLlama (Miller 2024), static vectors of pieces of words: for texts.

A hundred times as fast as minilm. A text's features are the mean of the vectors of its pieces, of
length 1; their order counts for nothing. The vectors are cut from the input layers of Llama 2 70B,
Phi 3 medium and others and tuned on pairs of sentences. `pip install 'narrows[wordllama]'` brings
them; they know English best.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.config.plugins import config
from narrows.models.pretrained import _weights
from narrows.models.pretrained._base import Classifier, Kind, Weights

if TYPE_CHECKING:
    import torch

KIND: Kind = "texts"
EXTRA = "wordllama"
VECTORS = "weights/l2_supercat_256.safetensors"
PIECES = "tokenizers/l2_supercat_tokenizer_config.json"
SHA256 = "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5"


@config
class Config:
    pass


def size(cfg: Config) -> int:
    """0: texts have none."""
    return 0


def weights(cfg: Config) -> Weights:
    """The vectors in their package."""
    file = _weights.in_package("wordllama", VECTORS, EXTRA)
    return Weights(file, "MIT", "pairs of sentences, on vectors of Llama 2 and Phi 3")


def load(cfg: Config, device: torch.device) -> Any:
    """The vectors (32000, 256), and what cuts texts into pieces."""
    _weights.check_text_libraries("wordllama", EXTRA)
    import safetensors.torch
    from tokenizers import Tokenizer

    file = _weights.checked(weights(cfg).file, SHA256)
    tokenizer = Tokenizer.from_file(str(_weights.in_package("wordllama", PIECES, EXTRA)))
    return safetensors.torch.load_file(file)["embedding.weight"].float().to(device), tokenizer


def classifier(cfg: Config, network: Any) -> Classifier | None:
    """None: it was taught no classes."""
    return None


def features(cfg: Config, network: Any, originals: np.ndarray | Sequence[str]) -> np.ndarray:
    """Features (B, 256) of B texts."""
    import torch
    from torch.nn import functional as F

    vectors, tokenizer = network
    pieces = [part.ids for part in tokenizer.encode_batch([*originals], add_special_tokens=False)]
    starts = np.cumsum([0, *map(len, pieces[:-1])])
    ids = torch.tensor([i for part in pieces for i in part], dtype=torch.long)
    offsets = torch.from_numpy(starts.astype(np.int64)).to(vectors.device)
    mean = F.embedding_bag(ids.to(vectors.device), vectors, offsets, mode="mean")
    return F.normalize(mean).cpu().numpy()
