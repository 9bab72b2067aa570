"""The loop one writes by hand in PyTorch: floats on the device, fp32, torch's Adam as it is."""

import torch

from contenders import _torch
from contenders.job import Job


def fit(job: Job) -> float:
    train, val = (x.to(job.device) for x in _torch.tensors(job))
    model = _torch.network(job).to(job.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    val_loss = 0.0
    for _ in range(job.epochs):
        for rows in torch.randperm(len(train), device=job.device).split(job.batch_size):
            x = train[rows]
            loss = _torch.loss(job, model(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            val_loss = _torch.loss(job, model(val), val).item()
    return val_loss
