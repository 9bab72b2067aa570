"""Networks by hand; what all of them keep to is in test_contracts.py."""

from typing import Any

import pytest
import torch
from torch import nn

from narrows.config.plugins import load


def pair(name: str, shape: tuple[int, ...], code_size: int = 3, **options: Any) -> tuple[Any, Any]:
    """Encoder and decoder."""
    torch.manual_seed(0)
    module = load("networks", name)
    cfg = module.Config(**options)
    return module.encoder(cfg, shape, code_size), module.decoder(cfg, code_size, shape)


def layers(network: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in network.children()]


def n_weights(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_mlp_without_extras_is_linear_layers_and_activations() -> None:
    """Checkpoints and results of older rows hang on the keys and on the order of the draws."""
    encoder, decoder = pair("mlp", (1, 8, 8), hidden=(7,))
    assert list(encoder.state_dict()) == ["1.weight", "1.bias", "3.weight", "3.bias"]
    assert list(decoder.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    torch.manual_seed(0)
    for layer in (encoder[1], encoder[3], decoder[0], decoder[2]):
        fresh = nn.Linear(layer.in_features, layer.out_features)
        nn.init.xavier_uniform_(fresh.weight)
        assert torch.equal(layer.weight, fresh.weight)


def test_mlp_places_batch_norm_before_and_dropout_after_the_activation() -> None:
    encoder, decoder = pair("mlp", (5,), hidden=(7,), batch_norm=True, dropout=0.1)
    hidden = ["Linear", "BatchNorm1d", "ReLU", "Dropout"]
    assert layers(encoder) == ["Flatten", *hidden, "Linear"]
    assert layers(decoder) == [*hidden, "Linear", "Unflatten"]


def test_conv_places_batch_norm_after_all_convolutions_but_the_last() -> None:
    encoder, decoder = pair("conv", (1, 8, 8), channels=(4, 6), batch_norm=True)
    assert layers(encoder) == [*["Conv2d", "BatchNorm2d", "ReLU"] * 2, "Flatten", "Linear"]
    assert layers(decoder) == [
        *["Linear", "ReLU", "Unflatten"],
        *["ConvTranspose2d", "BatchNorm2d", "ReLU", "ConvTranspose2d"],
    ]


def test_conv_halves_with_the_last_of_several_convolutions() -> None:
    """Sides of 8, 8, 4, 4, 2: 4 (9 + 1), 4 (4 * 9 + 1), 6 (4 * 9 + 1), 6 (6 * 9 + 1), 3 * 25."""
    encoder, decoder = pair("conv", (1, 8, 8), channels=(4, 6), convolutions=2)
    strides = [layer.stride for layer in encoder if isinstance(layer, nn.Conv2d)]
    assert strides == [(1, 1), (2, 2)] * 2
    assert n_weights(encoder) == 40 + 148 + 222 + 330 + 75
    assert layers(decoder) == layers(pair("conv", (1, 8, 8), channels=(4, 6))[1])


def test_conv_drops_values_after_the_last_convolution_in_training_only() -> None:
    encoder, _ = pair("conv", (1, 8, 8), channels=(4,), dropout=0.5)
    assert layers(encoder) == ["Conv2d", "ReLU", "Flatten", "Dropout", "Linear"]
    x = torch.rand(3, 1, 8, 8)
    assert not torch.allclose(encoder(x), encoder(x))
    encoder.eval()
    assert torch.equal(encoder(x), encoder(x))


def test_conv_parameters_are_counted() -> None:
    """28x28, 14x14, 7x7. Encoder: 8 (9 + 1) + 16 (8 * 9 + 1) + 10 (16 * 49 + 1) = 9,098.
    Decoder: 784 (10 + 1) + 8 (16 * 9 + 1) + 1 (8 * 9 + 1) = 9,857."""
    encoder, decoder = pair("conv", (1, 28, 28), code_size=10, channels=(8, 16))
    assert (n_weights(encoder), n_weights(decoder)) == (9098, 9857)


def test_conv_starts_as_glorot_has_it() -> None:
    """8 to 16 channels of 3x3: up to sqrt(6 / (72 + 144)) = 1/6, where torch's own ends at 0.12."""
    networks = pair("conv", (1, 28, 28), channels=(8, 16))
    for weight in (networks[0][2].weight, networks[1][3].weight):
        assert 0.16 < weight.abs().max() <= 1 / 6
    biases = [w for net in networks for key, w in net.named_parameters() if "bias" in key]
    assert len(biases) == 6
    assert all((bias == 0).all() for bias in biases)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 100, 100), (3, 17, 23), (2, 1, 6)], ids=str)
def test_conv_gives_back_any_height_and_width(shape: tuple[int, ...]) -> None:
    encoder, decoder = pair("conv", shape, channels=(4, 5, 6))
    assert decoder(encoder(torch.rand(2, *shape))).shape == (2, *shape)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mlp", {"hidden": (50,), "dropout": 0.5}),
        ("mlp", {"hidden": (50,), "batch_norm": True}),
        ("conv", {"channels": (4, 6), "batch_norm": True}),
    ],
    ids=["mlp-dropout", "mlp-batch_norm", "conv-batch_norm"],
)
def test_dropout_and_batch_norm_act_in_training_only(name: str, options: dict[str, Any]) -> None:
    """A sample's code depends on chance or on its batch while training, and on neither after."""
    x = torch.rand(6, 1, 8, 8)
    for network, batch in zip(pair(name, (1, 8, 8), **options), (x, torch.rand(6, 3)), strict=True):
        assert not torch.allclose(network(batch)[:4], network(batch[:4]))
        network.eval()
        assert torch.allclose(network(batch)[:4], network(batch[:4]), atol=1e-6)
