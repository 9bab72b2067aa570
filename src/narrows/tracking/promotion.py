"""Whether a clustering is better than the champion: over seeds, on validation, without a label."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from narrows.clustering import votes
from narrows.config.params import Params
from narrows.errors import UserError
from narrows.store import clusterings, features
from narrows.store.clusterings import StoredClustering
from narrows.store.digests import digest
from narrows.store.reading import read_array

FIGURE = "val/neighbours"
MIN_SEEDS = 5
MARGIN = 2.0  # standard errors of the difference of two means


@dataclass(frozen=True)
class Candidate:
    """A clustering that may become the champion."""

    clustering: str
    """Key of the clustering's row."""
    figures: list[float]
    """Figure of merit, `neighbours`, by seed."""
    n_clusters: int
    """Number of clusters that was set; figures compare at one number only."""
    data_digest: str
    """SHA-256 over x.npy and split.npy."""
    fingerprint: str
    """Digest over all files that are registered."""

    @property
    def summary(self) -> str:
        """The figures in a few words."""
        mean, sd = statistics.mean(self.figures), statistics.stdev(self.figures)
        return f"{FIGURE} {mean:.4f} +- {sd:.4f} over {len(self.figures)} seeds"


def candidate(p: Params, key: str, artifacts: Path, data: Path) -> Candidate:
    """What is known of a row, or of the clustering of a search's winner.

    Args:
        key: key of `clusterings`, `deep_clusterings` or `searches`.
        artifacts: artifacts/<dataset>.
        data: data/<dataset>.

    Raises:
        UserError: too few seeds, or a file is missing; says what to change and run.
    """
    key = _clustering(p, key)
    stored = clusterings.open_clustering(artifacts, key, key in p.deep_clusterings)
    by_seed = _clusters_by_seed(p, stored, artifacts)
    x, split = (read_array(data / name) for name in ("x.npy", "split.npy"))
    points = features.common(artifacts, list(p.pretrained))
    validation = votes.voters(x if points is None else points, split, "val")
    figures = [votes.neighbours(clusters, validation) for _, clusters in sorted(by_seed.items())]
    fingerprint = digest(*stored.served_files)[:16]
    data_digest = stored.encoder.config["data_digest"]
    return Candidate(key, figures, stored.info["n_clusters"], data_digest, fingerprint)


def _clusters_by_seed(
    p: Params, stored: StoredClustering, artifacts: Path
) -> dict[int, np.ndarray]:
    """Clusters (N,) of a row under its own seed and those of stage `seeds`; raises `UserError`
    where they are too few."""
    key, clusters = stored.key, {stored.info["seed"]: stored.clusters}
    for seed in p.seeds.values:
        place = clusterings.seed_folder(artifacts, seed, key)
        if seed not in clusters and place.exists():
            clusters[seed] = StoredClustering(place).clusters
    if len(clusters) < MIN_SEEDS:
        values = [*p.seeds.values, *(s for s in range(99) if s not in p.seeds.values)]
        enough = values[: max(MIN_SEEDS, len(p.seeds.values))]
        raise UserError(
            f"{key} has results of {len(clusters)} seeds, a champion needs {MIN_SEEDS}: in "
            f"params.yaml set seeds.values to {enough}, name {key} under seeds.rows, and run "
            "`dvc repro seeds`"
        )
    return clusters


def is_better(new: Sequence[float], old: Sequence[float]) -> tuple[bool, str]:
    """Whether the mean is higher by more than two standard errors of the difference, and why.

    Welch's: SE^2 = s_1^2 / n_1 + s_2^2 / n_2.

    Example:
        Means 3 and 2, deviations 1, three seeds each: 1 is less than 2 sqrt(2/3) = 1.633.

        >>> is_better([2.0, 3.0, 4.0], [1.0, 2.0, 3.0])
        (False, '1.0000 higher; more than 1.6330 is wanted')
    """
    gain = statistics.mean(new) - statistics.mean(old)
    error = math.sqrt(sum(statistics.variance(v) / len(v) for v in (new, old)))
    side = "higher" if gain >= 0 else "lower"
    reason = f"{abs(gain):.4f} {side}; more than {MARGIN * error:.4f} is wanted"
    return gain > MARGIN * error, reason


def _clustering(p: Params, key: str) -> str:
    """Key of the row itself, or of the one clustering of a search's winner."""
    rows: dict[str, Any] = {**p.clusterings, **p.deep_clusterings}
    if key in rows:
        return key
    if key not in p.searches:
        raise UserError(
            f"{key!r} is no row of clusterings, deep_clusterings or searches; they are "
            f"{', '.join([*rows, *p.searches])}"
        )
    own = [name for name, row in rows.items() if row.encoder == key]
    if len(own) != 1:
        remedy = f"choose one of {', '.join(own)}" if own else "add a row that clusters its codes"
        raise UserError(f"{key} is a search with {len(own)} clusterings; {remedy}")
    return own[0]
