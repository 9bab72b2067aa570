"""The steps of `keras_adam`, in a file of their own because this one imports torch."""

from __future__ import annotations

from collections.abc import Iterable

import torch

BETA_1, BETA_2 = 0.9, 0.999


class KerasAdam(torch.optim.Optimizer):
    """Adam with eps added before the second moment is corrected.

        m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2
        w = w - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)

    It is written in torch's `_foreach` operations, which do a thing to all weights at once. torch's
    own optimizers consist of them, but they are private: another torch than that of constraints.txt
    may have changed them. tests/test_optimizers.py has two steps computed by hand.
    """

    def __init__(self, weights: Iterable[torch.Tensor], lr: float, eps: float):
        super().__init__(weights, {"lr": lr, "eps": eps})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step of every weight that has a gradient, in place."""
        for group in self.param_groups:
            weights = [w for w in group["params"] if w.grad is not None]
            gradients = [w.grad for w in weights]
            for w in weights:
                if w not in self.state:
                    zeros = {name: torch.zeros_like(w) for name in ("mean", "square")}
                    self.state[w] = {"step": torch.zeros((), device=w.device), **zeros}
            steps, means, squares = (
                [self.state[w][name] for w in weights] for name in ("step", "mean", "square")
            )
            torch._foreach_add_(steps, 1)
            torch._foreach_lerp_(means, gradients, 1 - BETA_1)  # m
            torch._foreach_mul_(squares, BETA_2)
            torch._foreach_addcmul_(squares, gradients, gradients, 1 - BETA_2)  # v
            roots = torch._foreach_sqrt(squares)
            torch._foreach_add_(roots, group["eps"])
            moves = torch._foreach_div(means, roots)
            t = steps[0]  # (), on the device: a recorded step has to read it there
            rate = group["lr"] * (1 - BETA_2**t).sqrt() / (1 - BETA_1**t)
            torch._foreach_mul_(moves, rate)
            torch._foreach_sub_(weights, moves)
