"""What a file in this folder has to offer, and what deep clusterers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, runtime_checkable

import numpy as np
from pydantic import Field, PositiveInt

from narrows.clustering.centres import means
from narrows.config.plugins import Plugin, config

if TYPE_CHECKING:
    from torch import Tensor, nn

    from narrows.models.autoencoder import Autoencoder

    Parts = dict[str, Tensor] | nn.ParameterDict


@config
class Loop:
    batch_size: PositiveInt
    """Samples per optimiser step."""
    optimizer: Annotated[Plugin, "optimizers"]
    """How the weights and the centres move, a file in src/narrows/training/optimizers/."""
    interval: PositiveInt
    """Steps between two looks at the whole set, each of which gives new targets."""
    max_updates: PositiveInt
    """Rounds of steps and a look at the whole set, at most; one more look comes before them all."""
    tolerance: Annotated[float, Field(ge=0, lt=1)]
    """Share of samples that change cluster below which a run stops, after a whole pass at least."""
    anneal: bool = False
    """Whether the learning rate falls along half a cosine between two looks at the whole set."""
    on_collapse: Literal["stop", "start"] = "stop"
    """What follows when most clusters are lost: an error, or the clusters of the start."""
    reset_every: PositiveInt | None = None
    """Updates between two soft resets, which shake the encoder and cluster anew; null for none."""
    reset_keep: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Share of its value that each of the encoder's weights keeps in a soft reset; the rest comes
    from a fresh encoder."""


@runtime_checkable
class DeepClusterer(Protocol):
    """A method that trains an encoder and its clusters together: the functions of its module,
    beside its `Config`, which is a `Loop`.

    B is a batch, F the samples that are learned from, D the code's units, K the clusters.
    """

    Config: type[Loop]

    def parts(self, cfg: Any, codes: np.ndarray, clusters: np.ndarray) -> dict[str, Tensor]:
        """Tensors by name that are trained beside the encoder, as they are at the start.

        If `centres` (K, D) are among them, the run's health tells how far apart they are.

        Args:
            cfg: the module's `Config`, filled in.
            codes: codes (F, D) of the start.
            clusters: the start's clusters (F,), from 0 to K - 1.
        """
        ...

    def soft(self, cfg: Any, parts: Parts, z: Tensor) -> Tensor | None:
        """Memberships (B, K) of codes (B, D); None where the start's clusterer reads the clusters
        off the codes anew: a method without memberships takes the `soft` of this file."""
        ...

    def target(self, cfg: Any, q: Tensor) -> Tensor:
        """Targets (F, K) of the next steps, from the memberships (F, K) of the whole set."""
        ...

    def loss(
        self,
        cfg: Any,
        parts: Parts,
        model: Autoencoder,
        noisy: Tensor,
        clean: Tensor,
        targets: Tensor,
    ) -> dict[str, Tensor]:
        """Terms by name whose sum is minimised, each a mean over the batch.

        Args:
            noisy: augmented samples (B, ...) in [0, 1].
            clean: the same samples as they are.
            targets: their targets (B, K).
        """
        ...

    def recentre(self, cfg: Any, parts: Parts, z: Tensor) -> None:
        """Moves centres that no gradient moves, by the codes (F, D), at every look but the first; a
        method without such centres takes the `recentre` of this file."""
        ...


def soft(cfg: Loop, parts: Parts, z: Tensor) -> None:
    """The `soft` of a method without memberships of its own."""


def recentre(cfg: Loop, parts: Parts, z: Tensor) -> None:
    """The `recentre` of a method whose parts are moved by gradients only."""


def centres(codes: np.ndarray, clusters: np.ndarray) -> Tensor:
    """Means (K, D) of the codes (F, D) of each cluster, as float32; clusters are 0 to K - 1."""
    import torch

    return torch.from_numpy(means(codes, clusters).astype(np.float32))
