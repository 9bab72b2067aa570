"""The network of a job as one writes it by hand in PyTorch."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from contenders.job import Job


def network(job: Job) -> nn.Sequential:
    sizes = (*job.layers, *job.layers[-2::-1])
    parts: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        parts += [nn.Linear(n_in, n_out), nn.ReLU()]
    code = 2 * len(job.layers) - 3  # the documents' deep code is linear
    if job.loss == "mse":
        parts[code] = nn.Identity()
    return nn.Sequential(*parts[:-1])


def loss(job: Job, raw: Tensor, x: Tensor) -> Tensor:
    if job.loss == "bce":
        return functional.binary_cross_entropy_with_logits(raw, x)
    return functional.mse_loss(raw, x)


def tensors(job: Job) -> tuple[Tensor, Tensor]:
    train, val = job.flat()
    return torch.from_numpy(train), torch.from_numpy(val)
