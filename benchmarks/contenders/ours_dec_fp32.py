"""The same with `precision: fp32`."""

from contenders import ours_dec
from contenders.job import Job


def fit(job: Job) -> list[int]:
    return ours_dec.fit(job, "fp32")
