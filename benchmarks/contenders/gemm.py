"""The matrix products of a job's steps and nothing else: what the machine can do at these shapes.

Of every layer y = x W' forwards, and backwards dy' x for the weights and dy W for the input, which
the first layer does not need. On a GPU they are of bf16, as a training's there.
"""

import functools
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from contenders.job import Job

Step = list[Callable[[], Tensor]]


def fit(job: Job) -> float:
    """Returns the floating-point operations that were done."""
    sizes = (*job.layers, *job.layers[-2::-1])
    n = job.batch_size
    dtype = torch.float32 if job.device == "cpu" else torch.bfloat16
    rand = functools.partial(torch.rand, device=job.device, dtype=dtype)
    step: Step = []
    flop = 0
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        x, w, dy = rand(n, n_in), rand(n_out, n_in), rand(n, n_out)
        y, dw, dx = rand(n, n_out), rand(n_out, n_in), rand(n, n_in)
        step += [_product(x, w.T, y), _product(dy.T, x, dw)]
        step += [_product(dy, w, dx)] if i else []
        flop += 2 * n * n_in * n_out * (3 if i else 2)
    n_steps = job.epochs * (len(job.read()[0]) // n)
    for _ in range(n_steps):
        for product in step:
            product()
    if job.device != "cpu":
        torch.cuda.synchronize()
    return float(flop * n_steps)


def _product(a: Tensor, b: Tensor, into: Tensor) -> Callable[[], Tensor]:
    return lambda: torch.mm(a, b, out=into)
