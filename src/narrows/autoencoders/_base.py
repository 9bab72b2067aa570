"""What a row of `autoencoders:` says, whatever its kind; kinds add their own fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import PositiveInt

from narrows.networks._base import Activation
from narrows.plugins import Plugin, config

if TYPE_CHECKING:
    import torch


@config
class Train:
    epochs: PositiveInt
    """Passes over the training split, at most."""
    batch_size: PositiveInt
    """Samples per optimiser step."""
    optimizer: Annotated[Plugin, "optimizers"]
    """How the weights move, a file in src/narrows/optimizers/."""
    schedule: Annotated[Plugin, "schedules"]
    """How the learning rate moves from epoch to epoch."""
    patience: PositiveInt | None
    """Epochs without a better validation loss before training stops; null never stops early."""


@config
class Row:
    network: Annotated[Plugin, "networks"]
    """Layers of encoder and decoder, a file in src/narrows/networks/."""
    code_size: PositiveInt
    """Numbers D in the code."""
    code_activation: Activation
    """After the encoder's last layer."""
    output_activation: Literal["sigmoid", "linear"]
    """After the decoder's last layer."""
    loss: Literal["bce", "mse"]
    """Between the reconstruction and the clean sample; a function of src/narrows/losses.py."""
    corruption: Annotated[Plugin, "corruptions"]
    """What is done to the encoder's input, in training and validation."""
    penalty: Annotated[Plugin, "penalties"]
    """What is added to the loss, a file in src/narrows/penalties/."""
    train: Train
    """How long and how it is trained."""

    def __post_init__(self) -> None:
        if self.loss == "bce" and self.output_activation != "sigmoid":
            raise ValueError(
                f"loss: bce needs output_activation: sigmoid, found {self.output_activation!r}"
            )


def reconstruction_loss(cfg: Row, raw: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """The row's loss between the decoder's last layer, before activation, and the clean batch."""
    from narrows import losses
    from narrows.networks._base import activation

    if cfg.loss == "bce":
        return losses.bce(raw, clean)
    return losses.mse(activation(cfg.output_activation)(raw), clean)
