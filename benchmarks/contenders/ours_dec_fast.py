"""The same with `precision: bf16` and a fused Adam for the autoencoder."""

from contenders import ours_dec
from contenders.job import Job


def fit(job: Job) -> list[int]:
    return ours_dec.fit(job, "bf16", fused=True)
