"""The contract of a network, activations by their names in params.yaml, and how weights start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, runtime_checkable

from narrows.config.plugins import config
from narrows.models.part import Part

if TYPE_CHECKING:
    from torch import nn

    Layer = TypeVar("Layer", nn.Linear, nn.Conv2d, nn.ConvTranspose2d)

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "sigmoid", "tanh", "linear"]


@config
class NetworkOptions(Part):
    """Base of every network's `Config`."""

    @property
    def depth(self) -> int:
        """Number of hidden layers of the encoder."""
        raise NotImplementedError

    @property
    def mixes_samples(self) -> bool:
        """Whether in training a sample's code depends on the other samples of its batch."""
        return False


@runtime_checkable
class Network(Protocol):
    """A file of this folder. No activation follows the last layer of either half: the row chooses
    it. Weights are drawn from torch's global generator, which the caller has seeded."""

    Config: type[NetworkOptions]

    def encoder(self, cfg: Any, input_shape: tuple[int, ...], width: int) -> nn.Module:
        """A module from (B, *input_shape) to (B, width).

        Raises:
            UserError: samples of that shape are not for this network.
        """
        ...

    def decoder(self, cfg: Any, code_size: int, output_shape: tuple[int, ...]) -> nn.Module:
        """A module from (B, code_size) to (B, *output_shape).

        Raises:
            UserError: samples of that shape are not for this network.
        """
        ...


def activation(name: Activation) -> nn.Module:
    """The module of that name; "linear" changes nothing."""
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


def initialise(layer: Layer) -> Layer:
    """Draws the layer's weights as Glorot & Bengio (2010, equation 16) do, sets its biases to 0,
    and returns it.

    Keras starts so: from torch's own start the 500-500-2000-10 row needs twice the epochs
    (docs/LOG.md).
    """
    from torch import nn

    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
