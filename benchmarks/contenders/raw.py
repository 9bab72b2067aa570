"""The loop that one writes by hand in PyTorch: floats in memory, fp32, torch's Adam as it comes."""

import torch

from contenders import _torch
from contenders.job import Job


def fit(job: Job) -> float:
    train, val = _torch.tensors(job)
    model = _torch.network(job)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    found = 0.0
    for _ in range(job.epochs):
        for rows in torch.randperm(len(train)).split(job.batch_size):
            x = train[rows]
            loss = _torch.loss(job, model(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            found = _torch.loss(job, model(val), val).item()
    return found
