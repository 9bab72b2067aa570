"""Optimizers by hand; what all of them keep to is in test_contracts.py."""

import copy
import pickle

import pytest
import torch

from helpers.plugins import plugin


def test_adam_of_keras_adds_eps_before_the_correction() -> None:
    """A gradient of 1e-7, as large as eps. First step: m = 0.1 g, v = 0.001 g^2,

        move = lr sqrt(0.001) / 0.1 * 0.1 g / (sqrt(0.001) g + eps)
             = lr 0.0316 / (0.0316 + 1) = 0.03065 lr,

    where torch's Adam moves lr / 2. A zero gradient then: m = 0.09 g, v = 0.000999 g^2,

        move = lr sqrt(1 - 0.999^2) / (1 - 0.9^2) * 0.09 g / (sqrt(0.000999) g + eps)
             = lr 0.04471 / 0.19 * 0.09 / 1.03161 = 0.02053 lr.
    """
    keras = plugin("optimizers", "keras_adam")
    weight = torch.nn.Parameter(torch.zeros(2))
    unused = torch.nn.Parameter(torch.zeros(1))
    optimizer = keras.module.optimizer(keras.module.Config(lr=1.0), [weight, unused])
    weight.grad = torch.tensor([1e-7, -1e-7])
    optimizer.step()
    assert weight.tolist() == pytest.approx([-0.03065, 0.03065], rel=1e-3)
    weight.grad = torch.zeros(2)
    optimizer.step()
    assert weight.tolist() == pytest.approx([-0.05118, 0.05118], rel=1e-3)
    assert unused.item() == 0


def test_adam_of_keras_is_torchs_where_eps_is_small() -> None:
    weights = []
    for name in ("adam", "keras_adam"):
        chosen, generator = plugin("optimizers", name), torch.Generator().manual_seed(0)
        weight = torch.nn.Parameter(torch.ones(5))
        config = chosen.module.Config(lr=0.01, eps=1e-12)
        optimizer = chosen.module.optimizer(config, [weight])
        for _ in range(20):
            weight.grad = torch.randn(5, generator=generator)
            optimizer.step()
        weights.append(weight.tolist())
    assert weights[0] == pytest.approx(weights[1], rel=1e-4)
    assert weights[0] != [1.0] * 5


def test_adam_of_keras_can_be_copied_and_pickled() -> None:
    keras, weight = plugin("optimizers", "keras_adam"), torch.nn.Parameter(torch.ones(2))
    optimizer = keras.module.optimizer(keras.module.Config(lr=0.5, eps=1e-3), [weight])
    weight.grad = torch.tensor([1.0, 2.0])
    optimizer.step()
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        (copied,) = other.param_groups[0]["params"]
        assert copied is not weight
        copied.grad = weight.grad.clone()
        other.step()
        assert copied.tolist() != weight.tolist()
    optimizer.step()
    assert copied.tolist() == weight.tolist()
