"""What a file in this folder has to offer."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from narrows.clustering.state import State


@runtime_checkable
class Clusterer(Protocol):
    """A method that clusters codes; the three functions of its module, beside its `Config`
    and `HAS_MEMBERSHIPS`."""

    Config: type[Any]

    HAS_MEMBERSHIPS: bool
    """Whether `soft` says more than `predict`: how sure the cluster of a code is."""

    def fit(self, cfg: Any, z: np.ndarray, n_clusters: int, seed: int) -> State:
        """Arrays by name, all that the method has learned from the codes z (N, D).

        Args:
            cfg: the module's `Config`, filled in.
            n_clusters: number that a method by density ignores.

        Raises:
            UserError: a code is not finite, or there are fewer than two.
        """
        ...

    def predict(self, state: State, z: np.ndarray) -> np.ndarray:
        """Cluster (N,) of each code of z (N, D), -1 is noise; raises as `fit` does."""
        ...

    def soft(self, state: State, z: np.ndarray) -> np.ndarray:
        """Memberships (N, K) of codes z (N, D), whose largest is the cluster.

        A method without any returns `one_hot(predict(state, z), n)`: a single 1 a row, none for
        noise.
        """
        ...
