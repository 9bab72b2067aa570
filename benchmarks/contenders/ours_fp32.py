"""The same with `precision: fp32`."""

from contenders import ours
from contenders.job import Job


def fit(job: Job) -> float:
    return ours.fitted(job, ours.row(job, "fp32")).history[-1]["val/loss"]
