"""The contract of an optimizer: one verb, and a `Config` that has a learning rate `lr`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Optimizer(Protocol):
    """A file of this folder."""

    Config: type[Any]

    def optimizer(self, cfg: Any, weights: Iterable[torch.Tensor]) -> torch.optim.Optimizer:
        """The optimizer of these weights. Its steps change tensors in place and read no number into
        Python, so that CUDA can record them."""
        ...
