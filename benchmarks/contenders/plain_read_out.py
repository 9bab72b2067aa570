"""UMAP and a mixture of ten, as umap-learn and scikit-learn give them."""

from sklearn.mixture import GaussianMixture
from umap import UMAP

from contenders.job import Job, codes


def fit(job: Job) -> list[int]:
    """Returns the clusters."""
    places = UMAP(20, 10, min_dist=0.0, random_state=0, n_jobs=1).fit_transform(codes(job.samples))
    mixture = GaussianMixture(10, n_init=20, random_state=0)
    return [int(cluster) for cluster in mixture.fit_predict(places)]
