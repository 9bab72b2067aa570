"""The contract of objectives, and clusters that several of them look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from narrows.data.on_disk import Samples
    from narrows.models.autoencoder import Autoencoder

MAX_ROWS = 5_000


@runtime_checkable
class Objective(Protocol):
    """A file in this folder."""

    @property
    def DIRECTION(self) -> Literal["minimize", "maximize"]:
        """Whether smaller or larger values are the better ones."""

    @property
    def FEWEST_SEEDS(self) -> int:
        """Number of seeds that a trial is trained from at least: 2 where trainings are compared."""

    @property
    def Config(self) -> type[Any]:
        """The objective's keys in params.yaml."""

    def measure(self, cfg: Any, trained: Trained) -> float | None:
        """The value of a training, found without a label; a trial has the mean of its seeds. None
        of a first training that has no other to be compared with."""


@dataclass(frozen=True)
class Trained:
    """A model of a trial, and the samples that a search may see: never those of the test split."""

    model: Autoencoder
    """The trained model, on the CPU."""
    train: Samples
    """(N, ...) as stored."""
    val: Samples
    """(N, ...) as stored."""
    seed: int
    """Seed of the training; of the samples and of K-means, too, where an objective needs them."""
    rival: Autoencoder | None = None
    """The model of the trial's seed before this one; None for the first."""


def judged(trained: Trained) -> Tensor:
    """At most 5,000 training samples (n, ...) as stored."""
    import numpy as np
    import torch

    from narrows.data.blocks import subset

    # not the first ones: data may be sorted by class
    rows = subset(np.arange(len(trained.train)), MAX_ROWS, trained.seed)
    return trained.train[torch.from_numpy(rows)]


def clusters_of(
    model: Autoencoder, x: Tensor, n_clusters: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The codes (n, D) of samples (n, ...) as stored, and the clusters (n,) that K-means finds in
    them."""
    from sklearn.cluster import KMeans

    from narrows.models.autoencoder import encode_all

    codes = encode_all(model, x)
    return codes, KMeans(n_clusters, n_init=5, random_state=seed).fit(codes).labels_


def clustered(trained: Trained, n_clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """At most 5,000 training samples (n, D), flat and in [0, 1], and the clusters (n,) that K-means
    finds in their codes."""
    from narrows.data.unit import to_unit

    x = judged(trained)
    _, clusters = clusters_of(trained.model, x, n_clusters, trained.seed)
    return to_unit(x).flatten(1).numpy(), clusters
