"""This project's training, as stage `train` calls it."""

import torch

from contenders.job import Job
from narrows.config import params
from narrows.config.plugins import Plugin
from narrows.training import fitting


def row(job: Job, precision: str = "auto") -> Plugin:
    none = {"name": "none"}
    train = {"epochs": job.epochs, "batch_size": job.batch_size, "patience": None}
    train |= {"optimizer": {"name": "adam", "lr": 1e-3}, "schedule": none, "precision": precision}
    network = {"name": "mlp", "hidden": list(job.layers[1:-1]), "activation": "relu"}
    bce = job.loss == "bce"
    return params.plugin(
        "autoencoders",
        {
            "name": "plain",
            "network": network,
            "code_size": job.layers[-1],
            "code_activation": "relu" if bce else "linear",
            "output_activation": "sigmoid" if bce else "linear",
            "loss": job.loss,
            "corruption": none,
            "penalty": none,
            "train": train,
        },
    )


def fitted(job: Job, chosen: Plugin, seed: int = 0) -> fitting.Fitted:
    train, val = (torch.from_numpy(x) for x in job.read())
    return fitting.fit(chosen, train, val, seed=seed, device=job.device)


def fit(job: Job) -> float:
    return fitted(job, row(job)).history[-1]["val/loss"]
