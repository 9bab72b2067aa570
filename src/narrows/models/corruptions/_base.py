"""The contract of a corruption: one verb, `corrupt`, and a `Config` derived from `Noise`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from narrows.config.plugins import config
from narrows.models.part import Part

if TYPE_CHECKING:
    import torch


@config
class Noise(Part):
    """Base of every corruption's `Config`."""

    @property
    def pictures_only(self) -> bool:
        """Whether it has to know where in a picture a value is; other samples are refused then."""
        return False


@runtime_checkable
class Corruption(Protocol):
    """A file of this folder."""

    Config: type[Noise]

    def corrupt(self, cfg: Any, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """A corrupted copy of a batch (B, ...) of floats in [0, 1], of the same shape and range.

        `x` stays as it is. All chance comes from the generator, which is on the device of `x`.
        """
        ...
