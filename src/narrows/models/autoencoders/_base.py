"""What a row of `autoencoders:` says, whatever its kind, and what several kinds share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import PositiveInt

from narrows.config.plugins import Plugin, config
from narrows.models.networks._base import Activation, activation

if TYPE_CHECKING:
    from torch import Tensor, nn


@config
class Train:
    epochs: PositiveInt
    """Passes over the training split, at most."""
    batch_size: PositiveInt
    """Samples per optimiser step."""
    optimizer: Annotated[Plugin, "optimizers"]
    """How the weights move, a file in src/narrows/training/optimizers/."""
    schedule: Annotated[Plugin, "schedules"]
    """How the learning rate moves from epoch to epoch."""
    patience: PositiveInt | None
    """Epochs without a better validation loss before training stops; null never stops early."""
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    """Of the multiplications in training; weights, losses and validation are in fp32. Deep rows
    train twice as fast in bf16 where the processor has it (AVX512-BF16, AMX, most GPUs), which
    auto looks up; elsewhere bf16 is slow."""


@config
class Row:
    network: Annotated[Plugin, "networks"]
    """Layers of encoder and decoder, a file in src/narrows/models/networks/."""
    code_size: PositiveInt
    """Numbers D in the code."""
    code_activation: Activation
    """After the encoder's last layer."""
    output_activation: Literal["sigmoid", "linear"]
    """After the decoder's last layer."""
    loss: Literal["bce", "mse"]
    """Between the reconstruction and the clean sample; a function of src/narrows/models/losses.py."""
    corruption: Annotated[Plugin, "corruptions"]
    """What is done to the encoder's input, in training and validation."""
    penalty: Annotated[Plugin, "penalties"]
    """What is added to the loss, a file in src/narrows/models/penalties/."""
    train: Train
    """How long and how it is trained."""

    def __post_init__(self) -> None:
        if self.loss == "bce" and self.output_activation != "sigmoid":
            raise ValueError(
                f"loss: bce needs output_activation: sigmoid, found {self.output_activation!r}"
            )
        for part in (self.network, self.corruption, self.penalty):
            if hasattr(part.module, "check"):  # a plug-in may refuse a row that makes no sense
                part.module.check(part.config, self)


def build(cfg: Row, input_shape: tuple[int, ...]) -> dict[str, nn.Module]:
    """The modules of an encoder whose output is the code, and of its decoder."""
    from torch import nn

    network, options = cfg.network.module, cfg.network.config
    encoder = network.encoder(options, input_shape, cfg.code_size)
    return {
        "encoder": nn.Sequential(encoder, activation(cfg.code_activation)),
        "decoder": network.decoder(options, cfg.code_size, input_shape),
    }


def encode(cfg: Row, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    """Codes (B, D) of samples (B, ...)."""
    z: Tensor = parts["encoder"](x).float()  # from bf16, where it is trained so
    return z


def decode(cfg: Row, parts: nn.ModuleDict, z: Tensor) -> Tensor:
    """Reconstructions (B, ...) from codes (B, D)."""
    x_hat: Tensor = activation(cfg.output_activation)(parts["decoder"](z))
    return x_hat


def loss(
    cfg: Row, parts: nn.ModuleDict, noisy: Tensor, clean: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """The code (B, D) that a penalty acts on, and the terms whose sum is minimised."""
    z = encode(cfg, parts, noisy)
    return z, {"reconstruction": reconstruction_loss(cfg, parts["decoder"](z).float(), clean)}


def reconstruction_loss(cfg: Row, raw: Tensor, clean: Tensor) -> Tensor:
    """The row's loss between the decoder's last layer, before activation, and the clean batch."""
    from narrows.models import losses

    if cfg.loss == "bce":
        return losses.bce(raw, clean)
    return losses.mse(activation(cfg.output_activation)(raw), clean)
