"""What several clusterings of the same samples agree on, under common numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from narrows.clustering.matching import NOISE, Ids, renumbering


def agreed(clusterings: Sequence[Ids]) -> Ids:
    """Clusters (N,) of the samples that all clusterings put together; the others are noise.

    The clusters of each are renumbered as those of the first, one to one, such that as many samples
    as can be agree (Kuhn 1955); a committee whose members all have to vote alike (Strehl and Ghosh
    2002, Journal of Machine Learning Research 3).

    Args:
        clusterings: one or more of clusters (N,), -1 is noise.

    Example:
        The second has the first one's clusters 0 and 1 as 1 and 0, but for the last sample:

        >>> agreed([np.array([0, 0, 1, 1, -1]), np.array([1, 1, 0, 1, 0])]).tolist()
        [0, 0, 1, -1, -1]
    """
    first = clusterings[0]
    common = first
    for clusters in clusterings[1:]:
        same = renumbering(clusters, first, int(first.max()) + 1)[clusters]
        common = np.where(common == same, common, NOISE)
    return common
