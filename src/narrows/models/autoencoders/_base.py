"""The contract of a kind of autoencoder, what a row says whatever its kind, and shared verbs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    Protocol,
    cast,
    runtime_checkable,
)

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from narrows.config.plugins import ASIDE, Plugin, config
from narrows.config.sections import SAMPLES
from narrows.models.networks._base import Activation, Network, activation

if TYPE_CHECKING:
    from torch import Tensor, nn


@config
class Train:
    """How long and how a row is trained."""

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
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "fp32"
    """Precision of the multiplications in training; weights, losses and validation are in fp32.
    Deep rows train twice as fast in bf16 where the processor has it (AVX512-BF16, AMX, most GPUs),
    which auto looks up; elsewhere bf16 is slow. On a GPU with tensor cores and without bf16 auto
    takes fp16, whose loss is scaled so that small gradients do not vanish."""
    clip: PositiveFloat | None = None
    """Largest Euclidean norm of the gradient of all weights together; a longer one is shortened to
    it before each step."""
    accumulate: PositiveInt = 1
    """Batches whose gradient is one step, the mean over all of their samples: a large batch where
    memory has room for a small one. The last step of an epoch takes the batches that are left."""
    warmup: NonNegativeInt = 0
    """Epochs in which the learning rate rises in equal steps to that of the optimizer, which it
    reaches in the epoch after them; the schedule begins there."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of an exponential moving average of the weights, like 0.999; it is validated, chosen by
    its loss and kept in place of the weights that the steps move. Until it is as old as its decay
    allows it is their plain mean."""

    def __post_init__(self) -> None:
        if self.warmup >= self.epochs:
            raise ValueError(
                f"warmup: it should be less than epochs, {self.epochs}, found {self.warmup}"
            )


@config
class AutoencoderRow:
    """What a row of `autoencoders:` says, whatever its kind: base of every kind's `Config`."""

    network: Annotated[Plugin, "networks"]
    """Layers of encoder and decoder, a file in src/narrows/models/networks/."""
    code_size: PositiveInt
    """Number D of units in the code."""
    code_activation: Activation
    """Activation after the encoder's last layer."""
    output_activation: Literal["sigmoid", "linear"]
    """Activation after the decoder's last layer."""
    loss: Literal["bce", "mse"]
    """Loss between the reconstruction and the clean sample, a function of
    src/narrows/models/losses.py."""
    corruption: Annotated[Plugin, "corruptions"]
    """Corruption of the encoder's input, in training and validation."""
    penalty: Annotated[Plugin, "penalties"]
    """Penalty that is added to the loss, a file in src/narrows/models/penalties/."""
    train: Train
    """How long and how it is trained."""
    input: str = SAMPLES
    """What it takes: `samples`, or the key of a row of `pretrained`, whose features it squeezes."""
    log_model: bool = dataclasses.field(default=False, metadata=ASIDE)
    """Whether stage `report` logs the encoder to MLflow as a model, too; no result depends on it.
    The winner of a search always is."""

    def __post_init__(self) -> None:
        if self.loss == "bce" and self.output_activation != "sigmoid":
            raise ValueError(
                f"loss: bce needs output_activation: sigmoid, found {self.output_activation!r}"
            )
        for part in (self.network, self.corruption, self.penalty):
            part.config.check(self)


@runtime_checkable
class Kind(Protocol):
    """A file of this folder. This module has verbs for a kind whose encoder's output is the code
    and that is trained in one phase; such a kind imports those that it does not define."""

    Config: type[AutoencoderRow]

    HAS_POSTERIOR: bool
    """Whether the code is the mean of a distribution q(z|x): the kind is a `Variational` one."""

    def build(self, cfg: Any, input_shape: tuple[int, ...]) -> dict[str, nn.Module]:
        """Everything that is trained, for samples of that shape; "encoder" and "decoder" are among
        them."""
        ...

    def encode(self, cfg: Any, parts: nn.ModuleDict, x: Tensor) -> Tensor:
        """Codes (B, D) of samples (B, ...), without chance."""
        ...

    def decode(self, cfg: Any, parts: nn.ModuleDict, z: Tensor) -> Tensor:
        """Reconstructions (B, ...) from codes (B, D), behind the output activation."""
        ...

    def loss(
        self, cfg: Any, parts: nn.ModuleDict, noisy: Tensor, clean: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The code (B, D) that the penalty acts on, and the named terms whose sum is minimised,
        each a mean over the batch; "loss" and "penalty" are names of the core's own.

        Chance may come from torch's global generator, which is seeded anew in every epoch.
        """
        ...

    def layers(self, cfg: Any) -> Sequence[Plugin]:
        """Rows that are trained before the row itself, each on the codes of the one before."""
        ...

    def start(self, parts: nn.ModuleDict, layers: Sequence[nn.ModuleDict]) -> None:
        """Puts the weights of the trained `layers` into the row's own parts."""
        ...


@runtime_checkable
class Variational(Kind, Protocol):
    """A kind whose code is the mean of a Gaussian q(z|x)."""

    def posterior(self, cfg: Any, parts: nn.ModuleDict, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z|x), (B, D) each."""
        ...

    def log_likelihood(self, cfg: Any, raw: Tensor, clean: Tensor) -> Tensor:
        """log p(x|z) in nats per sample, (B,), from the decoder's last layer before activation."""
        ...

    def terms(self, cfg: Any, parts: nn.ModuleDict, x: Tensor) -> dict[str, Tensor]:
        """Parts of the bound on log p(x): "reconstruction" (B,), "kl" (B, D) and "mean" (B, D)."""
        ...

    def nll(self, cfg: Any, parts: nn.ModuleDict, x: Tensor, n_draws: int) -> Tensor:
        """-log p(x) in nats, (B,), from above, by importance weighting over `n_draws` codes."""
        ...


def variational(kind: Kind) -> Variational | None:
    """The same kind with the verbs of a variational one; None if it is none."""
    return cast(Variational, kind) if kind.HAS_POSTERIOR else None


HAS_POSTERIOR = False


def build(cfg: AutoencoderRow, input_shape: tuple[int, ...]) -> dict[str, nn.Module]:
    """The modules of an encoder whose output is the code, and of its decoder."""
    from torch import nn

    network: Network = cfg.network.module
    options = cfg.network.config
    encoder = network.encoder(options, input_shape, cfg.code_size)
    return {
        "encoder": nn.Sequential(encoder, activation(cfg.code_activation)),
        "decoder": network.decoder(options, cfg.code_size, input_shape),
    }


def encode(cfg: AutoencoderRow, parts: nn.ModuleDict, x: Tensor) -> Tensor:
    """Codes (B, D) of samples (B, ...)."""
    z: Tensor = parts["encoder"](x).float()  # from bf16, where it is trained so
    return z


def decode(cfg: AutoencoderRow, parts: nn.ModuleDict, z: Tensor) -> Tensor:
    """Reconstructions (B, ...) from codes (B, D)."""
    x_hat: Tensor = activation(cfg.output_activation)(parts["decoder"](z))
    return x_hat


def loss(
    cfg: AutoencoderRow, parts: nn.ModuleDict, noisy: Tensor, clean: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """The code (B, D) that a penalty acts on, and the terms whose sum is minimised."""
    z = encode(cfg, parts, noisy)
    return z, {"reconstruction": reconstruction_loss(cfg, parts["decoder"](z).float(), clean)}


def layers(cfg: AutoencoderRow) -> Sequence[Plugin]:
    """No rows: all is trained at once."""
    return ()


def start(parts: nn.ModuleDict, layers: Sequence[nn.ModuleDict]) -> None:
    """Nothing is taken over."""


def reconstruction_loss(cfg: AutoencoderRow, raw: Tensor, clean: Tensor) -> Tensor:
    """The row's loss between the decoder's last layer, before activation, and the clean batch."""
    from narrows.models import losses

    if cfg.loss == "bce":
        return losses.bce(raw, clean)
    return losses.mse(activation(cfg.output_activation)(raw), clean)
