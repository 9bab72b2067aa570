"""Layers trained one after the other, each an autoencoder on the codes of the one before.

Their encoders in order and their decoders in reverse start one deep network, which is then
fine-tuned (Bengio et al. 2007; with corruption Vincent et al. 2010, JMLR 11, section 3.5). The
row's corruption and penalty act on every layer, and again in the fine-tuning.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import PositiveInt

from narrows.config.plugins import Plugin, config, load
from narrows.models.autoencoders._base import (
    HAS_POSTERIOR,
    AutoencoderRow,
    build,
    decode,
    encode,
    loss,
)

if TYPE_CHECKING:
    from torch import nn

__all__ = ["HAS_POSTERIOR", "Config", "build", "decode", "encode", "layers", "loss", "start"]


@config
class Config(AutoencoderRow):
    layer_epochs: PositiveInt
    """Epochs of each layer, at most; `train.epochs` are those of the fine-tuning."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train.warmup >= self.layer_epochs:
            raise ValueError(
                f"layer_epochs: it should be more than train.warmup, {self.train.warmup}, found "
                f"{self.layer_epochs}"
            )
        options: Any = self.network.config
        if self.network.name != "mlp" or options.batch_norm:
            raise ValueError(
                "network: name: stacked trains fully connected layers one by one, so it needs "
                f"{{name: mlp}} without batch_norm; found {self.network.name}"
            )
        if self.corruption.config.pictures_only:
            raise ValueError(
                "corruption: name: stacked corrupts the codes of the layer before, which are no "
                f"pictures, so {self.corruption.name}, which needs them here, cannot be used"
            )
        if self.corruption.name != "none" and options.activation != "sigmoid":
            raise ValueError(
                "corruption: name: stacked corrupts the codes of the layer before, which have to "
                f"lie in [0, 1]: network.activation has to be sigmoid, found {options.activation!r}"
            )
        if self.penalty.name != "none" and options.activation != self.code_activation:
            raise ValueError(
                "penalty: name: stacked penalises the codes of every layer, so code_activation has "
                f"to be network.activation, {options.activation!r}; found {self.code_activation!r}"
            )


def layers(cfg: Config) -> list[Plugin]:
    """Rows, one per layer, input side first: a layer each way, on the codes of the row before.

    What a deeper layer reconstructs are codes: in [0, 1] behind a sigmoid, unbounded otherwise.
    """
    options: Any = cfg.network.config
    network = Plugin("networks", "mlp", dataclasses.replace(options, hidden=()))
    bounded = options.activation == "sigmoid"
    train = dataclasses.replace(cfg.train, epochs=cfg.layer_epochs)
    rows = []
    for i, width in enumerate((*options.hidden, cfg.code_size)):
        last = i == len(options.hidden)
        row = load("autoencoders", "plain").Config(
            network=network,
            code_size=width,
            code_activation=cfg.code_activation if last else options.activation,
            output_activation=cfg.output_activation if i == 0 or bounded else "linear",
            loss=cfg.loss if i == 0 or bounded else "mse",
            corruption=cfg.corruption,
            penalty=cfg.penalty,
            train=train,
        )
        rows.append(Plugin("autoencoders", "plain", row))
    return rows


def start(parts: nn.ModuleDict, layers: Sequence[nn.ModuleDict]) -> None:
    """Copies the layers' weights into the deep network, the decoders' in reverse."""
    for name, ordered in (("encoder", layers), ("decoder", layers[::-1])):
        deep = _linears(parts[name])
        for into, layer in zip(deep, ordered, strict=True):
            into.load_state_dict(_linears(layer[name])[0].state_dict())


def _linears(module: nn.Module) -> list[nn.Module]:
    from torch import nn

    return [part for part in module.modules() if isinstance(part, nn.Linear)]
