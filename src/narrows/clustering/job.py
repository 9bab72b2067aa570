"""Where a deep clustering starts: the job, its first clusters, and what it keeps on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from narrows.clustering.state import State, load_state, save_state
from narrows.config.plugins import Plugin
from narrows.data.on_disk import Samples
from narrows.errors import UserError
from narrows.models.autoencoder import Autoencoder

OnUpdate = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Job:
    x: Samples
    """(N, ...) as stored."""
    fitted: np.ndarray
    """Mask (N,) of those that are learned from."""
    model: Autoencoder
    """Trained; it is refined in place."""
    start: Plugin
    """Of `clusterers`: gives the first clusters."""
    n_clusters: int
    augmentation: Plugin
    """Of `corruptions`: what is done to the samples whose memberships follow the targets."""
    seed: int
    device: str
    """auto, cpu, cuda or mps."""
    work: Path
    """Folder of checkpoints; what is found in it is resumed, and left there."""
    on_update: OnUpdate = lambda update, told: None
    """Called after every look at the whole set, counted from 0, with the health of the run."""


def started(job: Job, codes: np.ndarray) -> tuple[State, np.ndarray]:
    """State and clusters (N,) of the start, numbered from 0; kept in `job.work`."""
    file = job.work / "start.npz"
    if not file.exists():
        job.work.mkdir(parents=True, exist_ok=True)
        state, clusters = clustered(job, codes)
        used = np.unique(clusters[job.fitted & (clusters >= 0)])
        if len(used) < 2:
            raise UserError(f"start: {job.start.name} finds {len(used)} clusters, it needs two")
        names = np.full(clusters.max() + 2, -1)  # the last is that of noise
        names[used] = np.arange(len(used))
        save_state(file, {**state, "names": names}, clusters=names[clusters])
    state, arrays = load_state(file)
    return state, arrays["clusters"]


def clustered(job: Job, codes: np.ndarray) -> tuple[State, np.ndarray]:
    """What the start's clusterer learns from the fitted codes, and clusters (N,) of all of them."""
    start = job.start
    state = start.module.fit(start.config, codes[job.fitted], job.n_clusters, job.seed)
    return state, start.module.predict(state, codes)
