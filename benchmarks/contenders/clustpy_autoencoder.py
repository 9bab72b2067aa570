"""ClustPy's FeedforwardAutoencoder, with the loss of the others."""

import torch
from clustpy.deep.neural_networks import FeedforwardAutoencoder

from contenders.job import Job


def network(job: Job) -> FeedforwardAutoencoder:
    return FeedforwardAutoencoder(
        list(job.layers),
        activation_fn=torch.nn.ReLU,
        decoder_output_fn=torch.nn.Sigmoid if job.loss == "bce" else None,
        random_state=0,
    )


def fit(job: Job) -> float:
    train, _ = job.flat()
    loss = torch.nn.BCELoss() if job.loss == "bce" else torch.nn.MSELoss()
    network(job).fit(
        n_epochs=job.epochs,
        optimizer_params={"lr": 1e-3},
        batch_size=job.batch_size,
        data=train,
        ssl_loss_fn=loss,
    )
    return 0.0
