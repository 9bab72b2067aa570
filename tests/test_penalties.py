"""Penalties by hand; what all of them keep to is in test_contracts.py."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from helpers.plugins import plugin, row
from narrows.config.plugins import Plugin, load
from narrows.models.jacobian import frobenius_squared


def value(name: str, z: Tensor, x: Tensor | None = None, encode: Any = None, **options: Any):
    module = load("penalties", name)
    return module.penalty(module.Config(**options), z, x, encode)


def test_l1_is_the_mean_norm_of_a_code() -> None:
    """(1 + 2 + 0 + 5) / 2 = 4 a sample, times 0.1."""
    z = torch.tensor([[1.0, -2.0], [0.0, 5.0]])
    assert value("l1", z, weight=0.1).item() == pytest.approx(0.4)


def test_kl_sparsity_is_the_divergence_of_mean_activations() -> None:
    """Means 0.4 and 0.2 with rho 0.2: 0.2 log(0.2 / 0.4) + 0.8 log(0.8 / 0.6) = 0.091516 for the
    first unit, 0 for the second; times 3."""
    z = torch.tensor([[0.2, 0.3], [0.6, 0.1]])
    assert value("kl_sparsity", z, target=0.2, weight=3.0).item() == pytest.approx(
        0.274549, rel=1e-5
    )


def test_kl_sparsity_of_saturated_units_is_finite() -> None:
    z = torch.tensor([[0.0, 1.0], [0.0, 1.0]], requires_grad=True)
    loss = value("kl_sparsity", z, target=0.2, weight=1.0)
    loss.backward()
    assert 1 < loss.item() < 100
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_contractive_of_a_linear_encoder() -> None:
    """|[[3, 0], [1, 2]]|^2 = 9 + 1 + 4 = 14 at every sample, times 0.5."""
    weight, x = torch.tensor([[3.0, 0.0], [1.0, 2.0]]), torch.rand(7, 2)
    loss = value("contractive", x, x, lambda x: x @ weight.T, weight=0.5, directions=None)
    assert loss.item() == pytest.approx(7)


def test_jacobian_of_a_sigmoid_layer_has_a_closed_form() -> None:
    """Rifai et al. 2011: sum over units j of (h_j (1 - h_j))^2 |W_j|^2."""
    torch.manual_seed(0)
    linear, x = nn.Linear(5, 3), torch.rand(4, 5)
    h = linear(x).sigmoid()
    expected = (h * (1 - h)) ** 2 @ (linear.weight**2).sum(1)
    value = frobenius_squared(lambda x: linear(x).sigmoid(), x, directions=None)
    assert torch.allclose(value, expected)


def tanh_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh()
    ).double()


def test_jacobian_of_two_layers_equals_autograd_s() -> None:
    encode, x = tanh_net(), torch.rand(3, 1, 2, 3, dtype=torch.float64)
    expected = [
        (torch.autograd.functional.jacobian(encode, sample[None]) ** 2).sum() for sample in x
    ]
    value = frobenius_squared(encode, x, directions=None)
    assert torch.allclose(value, torch.stack(expected), rtol=1e-12)


@pytest.mark.parametrize("directions", [1, 3])
def test_estimate_has_no_bias(directions: int) -> None:
    """20,000 estimates at one sample: their mean is off by std / sqrt(20,000)."""
    encode, x = tanh_net(), torch.rand(1, 6, dtype=torch.float64)
    exact = frobenius_squared(encode, x, None).item()
    estimates = frobenius_squared(encode, x.expand(20000, -1), directions)
    error = estimates.std().item() / 20000**0.5
    assert 0 < error < 0.01 * exact
    assert abs(estimates.mean().item() - exact) < 4 * error


@pytest.mark.parametrize("directions", [None, 2])
def test_gradient_equals_finite_differences(directions: int | None) -> None:
    x = torch.rand(3, 4, dtype=torch.float64)

    def loss(first: Tensor, second: Tensor) -> Tensor:
        torch.manual_seed(0)  # the same directions at every call
        return value(
            "contractive",
            x,
            x,
            lambda x: torch.tanh(torch.sigmoid(x @ first) @ second),
            weight=0.7,
            directions=directions,
        )

    shapes = ((4, 3), (3, 2))
    weights = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(loss, weights)


def test_kl_sparsity_refuses_codes_that_are_no_probabilities() -> None:
    chosen = plugin("penalties", "kl_sparsity")
    with pytest.raises(ValueError, match=r"penalty\.name: kl_sparsity needs .*; found 'linear'"):
        row(penalty=chosen)
    chosen.config.check(SimpleNamespace(code_activation="sigmoid"))


def test_contractive_refuses_batch_norm() -> None:
    network = load("networks", "mlp").Config(hidden=(7,), batch_norm=True)
    chosen = plugin("penalties", "contractive")
    with pytest.raises(ValueError, match=r"penalty\.name: contractive needs .*; found true"):
        row(penalty=chosen, network=Plugin("networks", "mlp", network))
    row(penalty=chosen)
