"""This project's DEC, end to end: autoencoder, K-means, refinement; targets of the whole set."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from contenders import ours
from contenders.job import Job
from narrows.clustering import job as clustering_job
from narrows.clustering import refine
from narrows.clustering.state import hardened
from narrows.config import params


def fit(job: Job, precision: str = "auto") -> list[int]:
    """Returns the clusters."""
    x = torch.from_numpy(job.read()[0])
    model = ours.fitted(job, ours.row(job, precision)).model
    method = {
        "name": "dec",
        "batch_size": job.batch_size,
        "optimizer": {"name": "adam", "lr": 1e-4},
        "interval": 60,  # as in params.yaml: three epochs of 5,000 digits
        "max_updates": max(1, job.repeats // 3),
        "tolerance": 0.0,
    }
    with tempfile.TemporaryDirectory() as work:
        refined = refine.refine(
            params.plugin("deep_clusterers", method),
            clustering_job.Job(
                x=x,
                fitted=np.ones(len(x), dtype=bool),
                model=model,
                start=params.plugin("clusterers", {"name": "kmeans", "n_init": 20}),
                n_clusters=10,
                augmentation=params.plugin("corruptions", {"name": "none"}),
                seed=0,
                device=job.device,
                work=Path(work),
            ),
        )
    return [int(cluster) for cluster in hardened(refined.soft)]
