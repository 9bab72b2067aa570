"""Where a deep clustering starts: the job, its first clusters, and what it keeps on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from narrows.config.plugins import Plugin
from narrows.data.on_disk import Samples
from narrows.errors import UserError
from narrows.models.autoencoder import Autoencoder
from narrows.store.files import atomic_write

State = dict[str, np.ndarray]
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
        remember(file, {**state, "names": names}, clusters=names[clusters])
    state, arrays = remembered(file)
    return state, arrays["clusters"]


def clustered(job: Job, codes: np.ndarray) -> tuple[State, np.ndarray]:
    """What the start's clusterer learns from the fitted codes, and clusters (N,) of all of them."""
    start = job.start
    state = start.module.fit(start.config, codes[job.fitted], job.n_clusters, job.seed)
    return state, start.module.predict(state, codes)


def hardened(soft: np.ndarray) -> np.ndarray:
    """Clusters (N,) of memberships (N, K); a row of zeros is noise, -1."""
    return np.where(soft.any(axis=1), soft.argmax(axis=1), -1)


def one_hot(clusters: np.ndarray, n_clusters: int) -> np.ndarray:
    """Memberships (N, K) of clusters (N,); of noise a row of zeros."""
    return np.eye(n_clusters, dtype=np.float32)[clusters] * (clusters >= 0)[:, None]


def remember(file: Path, state: State, **arrays: np.ndarray) -> None:
    """Writes arrays, and a clusterer's state beside them; whole or not at all."""
    told = {**arrays, **{f"state_{name}": array for name, array in state.items()}}
    with atomic_write(file) as partial:
        np.savez(partial, allow_pickle=False, **told)


def remembered(file: Path) -> tuple[State, dict[str, np.ndarray]]:
    """What `remember` wrote."""
    with np.load(file, allow_pickle=False) as found:
        arrays = dict(found)
    state = {k.removeprefix("state_"): arrays.pop(k) for k in list(arrays) if k[:6] == "state_"}
    return state, arrays
