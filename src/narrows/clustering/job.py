"""What a deep clustering is asked to do, and the clusters it starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from narrows.clustering.codes import fit_predict
from narrows.clustering.state import State, load_state, save_state
from narrows.config.messages import plural
from narrows.config.plugins import Plugin
from narrows.data.on_disk import Samples
from narrows.data.repeats import first_equal
from narrows.errors import UserError
from narrows.models.autoencoder import Autoencoder, encode_all

Record = dict[str, int | float]
"""One update of a run: its number, the terms of the loss and its health."""
OnUpdate = Callable[[int, Record], None]


def ignore(update: int, record: Record) -> None:
    """An `OnUpdate` that does nothing."""


@dataclass(frozen=True)
class Job:
    x: Samples
    """All samples (N, ...) as stored."""
    fitted: np.ndarray
    """Mask (N,) of the samples that are learned from."""
    model: Autoencoder
    """Trained autoencoder, which is refined in place."""
    start: Plugin
    """Clusterer that gives the first clusters."""
    n_clusters: int
    """Number of clusters that the clusterer is asked for."""
    augmentation: Plugin
    """Corruption of the samples whose memberships follow the targets."""
    seed: int
    """Seed of everything random."""
    device: str
    """Where it runs: auto, cpu, cuda or mps."""
    work: Path
    """Folder of checkpoints; a run that is found there is resumed, and its files stay."""
    on_update: OnUpdate = ignore
    """Called after every look at the whole set, counted from 0, with the health of the run."""
    names: np.ndarray | None = None
    """Clusters (N,) to begin with, -1 is noise; None for those that the start's clusterer reads off
    the codes."""


@dataclass(frozen=True)
class Start:
    codes: np.ndarray
    """Codes (N, D) of all samples, of the autoencoder as it was trained."""
    state: State
    """What the clusterer has learned, and `names`: by its own number of a cluster the one in
    `clusters`, -1 for a cluster that no fitted sample is in; the last is that of noise."""
    clusters: np.ndarray
    """Clusters (N,), numbered from 0 without gaps; -1 is noise."""
    first: np.ndarray
    """Row (N,) of the first sample that is equal to each."""


def prepare_start(job: Job) -> Start:
    """Encodes all samples and clusters their codes; the clusters are in `job.work` from then on.

    Raises:
        UserError: fewer than two clusters.
    """
    first = first_equal(job.x)
    codes = encode_all(job.model.eval(), job.x)[first]  # batch norm as it was learned
    file = job.work / "start.npz"
    if not file.exists():
        job.work.mkdir(parents=True, exist_ok=True)
        state, clusters = ({}, job.names) if job.names is not None else cluster_codes(job, codes)
        used = np.unique(clusters[job.fitted & (clusters >= 0)])
        if len(used) < 2:
            who = "start: " + job.start.name if job.names is None else "teachers: their agreement"
            raise UserError(f"{who} finds {plural(len(used), 'cluster')}, it needs two")
        names = np.full(clusters.max() + 2, -1)  # the last is that of noise
        names[used] = np.arange(len(used))
        save_state(file, {**state, "names": names}, clusters=names[clusters])
    state, arrays = load_state(file)
    return Start(codes, state, arrays["clusters"], first)


def cluster_codes(job: Job, codes: np.ndarray) -> tuple[State, np.ndarray]:
    """Fits the start's clusterer on the fitted ones of the codes (N, D).

    Returns:
        What it has learned, and clusters (N,) of all codes, under its own numbers.
    """
    return fit_predict(job.start, codes, job.fitted, job.n_clusters, job.seed)
