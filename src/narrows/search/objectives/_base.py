"""What an objective is asked about, and clusters that several of them look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from narrows.data.on_disk import Samples
    from narrows.models.autoencoder import Autoencoder

MAX_ROWS = 5_000


@dataclass(frozen=True)
class Trained:
    """A trial's model, on the rows that a search may see: never those of the test split."""

    model: Autoencoder
    train: Samples
    """(N, ...) as stored."""
    val: Samples
    seed: int


def clustered(trained: Trained, n_clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """At most 5,000 training samples (n, D), flat and in [0, 1], and the clusters (n,) that K-means
    finds in their codes."""
    import numpy as np
    import torch
    from sklearn.cluster import KMeans

    from narrows.data.blocks import drawn
    from narrows.data.unit import to_unit
    from narrows.models.autoencoder import encode_all

    # not the first ones: data may be sorted by class
    rows = drawn(np.arange(len(trained.train)), MAX_ROWS, trained.seed)
    x = trained.train[torch.from_numpy(rows)]
    codes = encode_all(trained.model, x)
    kmeans = KMeans(n_clusters, n_init=5, random_state=trained.seed).fit(codes)
    return to_unit(x).flatten(1).numpy(), kmeans.labels_
