"""What networks share: activations by the names they have in params.yaml, and how weights start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from torch import nn

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "sigmoid", "tanh", "linear"]
Start = Literal["glorot", "fan_in"]
Layer = TypeVar("Layer", "nn.Linear", "nn.Conv2d", "nn.ConvTranspose2d")


def activation(name: Activation) -> nn.Module:
    from torch import nn

    return {
        "relu": nn.ReLU,
        "leaky_relu": nn.LeakyReLU,
        "elu": nn.ELU,
        "gelu": nn.GELU,
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
        "linear": nn.Identity,
    }[name]()


def started(layer: Layer, start: Start = "glorot") -> Layer:
    """The layer with weights drawn between -b and b, and biases at 0.

    `glorot` takes b = sqrt(6 / (n_in + n_out)) (Glorot & Bengio 2010, equation 16), as Keras does
    by itself; `fan_in` takes 1 / sqrt(n_in), as torch and the published DEC do. The former learns
    faster at first, the latter reconstructs unseen samples better in the end (docs/LOG.md).
    """
    from torch import nn

    if start == "glorot":
        nn.init.xavier_uniform_(layer.weight)
    else:
        bound = layer.weight[0].numel() ** -0.5
        nn.init.uniform_(layer.weight, -bound, bound)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
