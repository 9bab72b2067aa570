"""The contract of objectives, and clusters that several of them look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

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
    def Config(self) -> type[Any]:
        """The objective's keys in params.yaml."""

    def measure(self, cfg: Any, trained: Trained) -> float:
        """The value of a trial, found without a label."""


@dataclass(frozen=True)
class Trained:
    """A trial's model and the samples that a search may see: never those of the test split."""

    model: Autoencoder
    """The trained model, on the CPU."""
    train: Samples
    """(N, ...) as stored."""
    val: Samples
    """(N, ...) as stored."""
    seed: int
    """Seed of the samples and of K-means, where an objective needs them."""


def clustered(trained: Trained, n_clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """At most 5,000 training samples (n, D), flat and in [0, 1], and the clusters (n,) that K-means
    finds in their codes."""
    import numpy as np
    import torch
    from sklearn.cluster import KMeans

    from narrows.data.blocks import subset
    from narrows.data.unit import to_unit
    from narrows.models.autoencoder import encode_all

    # not the first ones: data may be sorted by class
    rows = subset(np.arange(len(trained.train)), MAX_ROWS, trained.seed)
    x = trained.train[torch.from_numpy(rows)]
    codes = encode_all(trained.model, x)
    kmeans = KMeans(n_clusters, n_init=5, random_state=trained.seed).fit(codes)
    return to_unit(x).flatten(1).numpy(), kmeans.labels_
