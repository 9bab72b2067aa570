"""What networks share: activations by the names they have in params.yaml, and how weights start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from torch import nn

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "sigmoid", "tanh", "linear"]
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


def started(layer: Layer) -> Layer:
    """The layer with weights as Glorot & Bengio (2010, equation 16) have them and biases at 0.

    So starts Keras: from torch's own start the 500-500-2000-10 row needs twice the epochs
    (docs/LOG.md).
    """
    from torch import nn

    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
