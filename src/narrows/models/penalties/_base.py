"""The contract of a penalty: one verb, `penalty`, and a `Config` derived from `Part`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from narrows.models.part import Part

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Penalty(Protocol):
    """A file of this folder."""

    Config: type[Part]

    def penalty(
        self,
        cfg: Any,
        z: torch.Tensor,
        x: torch.Tensor,
        encode: Callable[[torch.Tensor], torch.Tensor],
    ) -> torch.Tensor | None:
        """What is added to the reconstruction loss: a scalar >= 0, a mean over the batch times the
        weight of `cfg`; None for nothing at all.

        In validation autograd is off: `torch.func` works there, `torch.autograd.grad` does not.

        Args:
            z: codes (B, D) of the inputs.
            x: inputs (B, ...), already corrupted.
            encode: maps inputs (B, ...) to codes (B, D).
        """
        ...
