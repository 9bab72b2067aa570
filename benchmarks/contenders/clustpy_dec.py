"""ClustPy's DEC, end to end."""

import torch
from clustpy.deep import DEC

from contenders import clustpy_autoencoder
from contenders.job import Job


def fit(job: Job) -> list[int]:
    """Returns the clusters."""
    train, _ = job.flat()
    dec = DEC(
        10,
        batch_size=job.batch_size,
        pretrain_optimizer_params={"lr": 1e-3},
        clustering_optimizer_params={"lr": 1e-4},
        pretrain_epochs=job.epochs,
        clustering_epochs=job.repeats,
        ssl_loss_fn=torch.nn.MSELoss(),
        neural_network=clustpy_autoencoder.network(job),
        embedding_size=job.layers[-1],
        initial_clustering_params={"n_init": 20},
        random_state=0,
    ).fit(train)
    return [int(cluster) for cluster in dec.dec_labels_]
