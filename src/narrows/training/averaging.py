"""An exponential moving average of a model's weights, whose steps CUDA can record."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from narrows.models.autoencoder import Autoencoder


class Average(nn.Module):
    """The average of a model's weights and buffers over the steps of its training.

    Its first values are the plain mean of the steps so far: after step n the new weights count
    1 / n, and never less than 1 - decay. So the weights that a training begins with leave no trace.
    What is no floating-point number, like the count of a batch norm, is copied.

    Args:
        model: of the same shape as the one that is trained; its weights become the average.
        decay: above 0, below 1.
    """

    n_steps: Tensor

    def __init__(self, model: Autoencoder, decay: float):
        super().__init__()
        self.model, self.decay = model, decay
        model.requires_grad_(False)
        self.register_buffer("n_steps", torch.zeros(()))  # on the device, where a record reads it

    @torch.no_grad()
    def update(self, trained: nn.Module) -> None:
        """Takes in the weights of a model after a step, in place."""
        self.n_steps += 1
        share = (1 / self.n_steps).clamp(min=1 - self.decay)
        own, new = (list(model.state_dict().values()) for model in (self.model, trained))
        pairs = list(zip(own, new, strict=True))
        means = [mean for mean, _ in pairs if mean.is_floating_point()]
        moves = torch._foreach_sub([w for _, w in pairs if w.is_floating_point()], means)
        torch._foreach_mul_(moves, share)
        torch._foreach_add_(means, moves)
        for mean, weight in pairs:
            if not mean.is_floating_point():
                mean.copy_(weight)
