"""The same network from several seeds, trained as one batch of models."""

import tempfile
from pathlib import Path

import torch

from contenders import ours
from contenders.job import Job
from narrows.training import many_seeds


def fit(job: Job) -> list[float]:
    train, val = (torch.from_numpy(x) for x in job.read())
    seeds = tuple(range(job.repeats))
    with tempfile.TemporaryDirectory() as work:
        fits = many_seeds.fit_together(
            ours.row(job), train, val, seeds=seeds, work=Path(work), device=job.device
        )
    return [fitted.history[-1]["val/loss"] for fitted in fits]
