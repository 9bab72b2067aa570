"""Adam as Keras has it: eps is added before the second moment is corrected.

That is the order which Kingma & Ba 2015 (arXiv:1412.6980) give at the end of their section 2, with
eps as their epsilon hat. Early on it is a much larger eps than torch's: at step t it counts
1 / sqrt(1 - 0.999^t) times as much, 32 times at first. Where gradients are tiny, as those of a mean
over pixels, that changes what is learned (docs/LOG.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import PositiveFloat

from narrows.config.plugins import config

if TYPE_CHECKING:
    import torch

BETA_1, BETA_2 = 0.9, 0.999


@config
class Config:
    lr: PositiveFloat = 1e-3
    """Step size."""
    eps: PositiveFloat = 1e-7
    """Added to the root of the mean squared gradient before that is corrected; Keras's default."""


def optimizer(cfg: Config, weights: Iterable[torch.Tensor]) -> torch.optim.Optimizer:
    import torch

    class KerasAdam(torch.optim.Optimizer):
        """
        m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2
        w = w - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)
        """

        @torch.no_grad()
        def step(self, closure: None = None) -> None:  # type: ignore[override]
            for group in self.param_groups:
                moved = [w for w in group["params"] if w.grad is not None]
                gradients = [w.grad for w in moved]
                for w in moved:
                    if w not in self.state:
                        zeros = {name: torch.zeros_like(w) for name in ("mean", "square")}
                        self.state[w] = {"step": torch.zeros((), device=w.device), **zeros}
                steps, means, squares = (
                    [self.state[w][name] for w in moved] for name in ("step", "mean", "square")
                )
                torch._foreach_add_(steps, 1)
                torch._foreach_lerp_(means, gradients, 1 - BETA_1)
                torch._foreach_mul_(squares, BETA_2)
                torch._foreach_addcmul_(squares, gradients, gradients, 1 - BETA_2)
                roots = torch._foreach_sqrt(squares)
                torch._foreach_add_(roots, cfg.eps)
                moves = torch._foreach_div(means, roots)
                t = steps[0]
                rate = group["lr"] * (1 - BETA_2**t).sqrt() / (1 - BETA_1**t)
                torch._foreach_mul_(moves, rate)
                torch._foreach_sub_(moved, moves)

    return KerasAdam(weights, {"lr": cfg.lr})
