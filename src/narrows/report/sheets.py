"""Which samples show a cluster: its heart, its rim, and where it touches another."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from narrows.clustering.centres import means

Rows = Integer[np.ndarray, " n"]


class Shown(NamedTuple):
    cluster: int
    nearest: Rows
    """To the cluster's mean, the nearest first."""
    farthest: Rows
    """The farthest first."""
    torn: Rows
    """Those whose next mean is hardly farther, the most torn first."""


def shown(z: Float[np.ndarray, "N D"], clusters: Integer[np.ndarray, " N"], n: int) -> list[Shown]:
    """At most `n` rows of each kind for each cluster; noise, -1, is none.

    Example:
        Means are 5/3 and 11. 2 is the nearest to the first, 0 the farthest, and 3 the most torn:

        >>> z = np.array([[0.0], [2.0], [3.0], [11.0]])
        >>> first, second = shown(z, np.array([0, 0, 0, 1]), n=1)
        >>> [rows.tolist() for rows in first[1:]]
        [[1], [0], [2]]
    """
    found = [int(c) for c in np.unique(clusters) if c >= 0]
    centres = means(z, clusters)[found]
    told = []
    for i, cluster in enumerate(found):
        rows = np.flatnonzero(clusters == cluster)
        distances = np.linalg.norm(z[rows, None] - centres, axis=2)
        own = distances[:, i]
        by_distance = rows[np.argsort(own, kind="stable")]
        torn = by_distance[:0]
        if len(found) > 1:
            other = np.delete(distances, i, axis=1).min(axis=1)
            torn = rows[np.argsort(other - own, kind="stable")]
        told.append(Shown(cluster, by_distance[:n], by_distance[::-1][:n], torn[:n]))
    return told
