"""The contract of a pretrained encoder: weights from elsewhere, originals to features."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch

Kind = Literal["pictures", "texts"]


@dataclass(frozen=True)
class Weights:
    """Where an encoder's weights come from, as every table says that shows it."""

    file: Path
    """The file that holds them."""
    licence: str
    """Licence of the weights, by its SPDX name; "not stated" where nobody has said."""
    trained_on: str
    """What data, and with which labels: "ImageNet-1k, supervised"."""


@dataclass(frozen=True)
class Classifier:
    """The last layer of a network that was taught classes: words for what it sees."""

    weight: np.ndarray
    """(W, D) by word and feature."""
    bias: np.ndarray
    """(W,)."""
    words: tuple[str, ...]
    """Names of the classes."""


@runtime_checkable
class Pretrained(Protocol):
    """A file of this folder."""

    Config: type[Any]

    KIND: Kind
    """What it takes: pictures, or texts."""

    def size(self, cfg: Any) -> int:
        """Side in pixels of the squares that it takes; 0 for texts."""
        ...

    def weights(self, cfg: Any) -> Weights:
        """The weights, found and not yet read.

        Raises:
            UserError: they are not on this machine; says how they come there.
        """
        ...

    def load(self, cfg: Any, device: torch.device) -> Any:
        """The network with its weights, ready to be used; nothing is unpickled.

        Raises:
            UserError: the file holds other weights than expected, or a package is missing.
        """
        ...

    def classifier(self, cfg: Any, network: Any) -> Classifier | None:
        """The layer that names features; None where there is none."""
        ...

    def features(self, cfg: Any, network: Any, originals: np.ndarray | Sequence[str]) -> np.ndarray:
        """Features (B, D), float32.

        Args:
            network: what `load` returned.
            originals: pictures uint8 (B, 3, size, size), or B texts.
        """
        ...
