"""UMAP and a mixture of ten, as a row of `clusterings` does it."""

from contenders.job import Job, codes
from narrows.clustering.clusterers import umap_gmm


def fit(job: Job) -> list[int]:
    """Returns the clusters."""
    z = codes(job.samples)
    state = umap_gmm.fit(umap_gmm.Config(), z, 10, seed=0)
    return [int(cluster) for cluster in umap_gmm.predict(state, z)]
