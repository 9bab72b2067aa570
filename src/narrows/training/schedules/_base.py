"""The contract of a schedule: how the learning rate moves from epoch to epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Schedule(Protocol):
    """A file of this folder."""

    Config: type[Any]

    FOLLOWS_LOSS: bool
    """Whether the scheduler's `step` is handed the epoch's validation loss."""

    def schedule(self, cfg: Any, optimizer: torch.optim.Optimizer, epochs: int) -> Any:
        """A scheduler of torch, an `LRScheduler` or a `ReduceLROnPlateau`, for at most `epochs`
        epochs. It is stepped once an epoch, after validation and before the checkpoint."""
        ...
