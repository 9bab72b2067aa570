"""The variational bound, by hand and against what is known in closed form."""

import math

import pytest
import torch
from torch import nn

from helpers.plugins import plugin, row
from narrows.config.plugins import Plugin
from narrows.models.autoencoders import variational


def config(**changes: object) -> variational.Config:
    import dataclasses

    cfg = row("variational", str(changes.pop("loss", "bce"))).config
    changed: variational.Config = dataclasses.replace(cfg, **changes)
    return changed


def parts(mean: float, log_var: float, logit: float, n_values: int = 4) -> nn.ModuleDict:
    """An encoder that answers the same for every sample, and a decoder that answers `logit`."""

    def constant(n_in: int, values: list[float]) -> nn.Linear:
        linear = nn.Linear(n_in, len(values))
        nn.init.zeros_(linear.weight)
        linear.bias.data = torch.tensor(values)
        return linear

    return nn.ModuleDict(
        {
            "encoder": constant(n_values, [mean] * 3 + [log_var] * 3),
            "decoder": constant(3, [logit] * n_values),
        }
    )


def test_the_bound_by_hand() -> None:
    """Three units of mean 2, variance 1: KL 3 * 4/2 = 6 nats. Logit 0: log 2 a value. Per value:
    log 2, and 6/4."""
    x = torch.rand(5, 4)
    _, terms = variational.loss(config(), parts(2.0, 0.0, 0.0), x, x)
    assert terms["reconstruction"].item() == pytest.approx(math.log(2), rel=1e-5)
    assert terms["kl"].item() == pytest.approx(1.5, rel=1e-6)
    _, terms = variational.loss(config(beta=4.0), parts(2.0, 0.0, 0.0), x, x)
    assert terms["kl"].item() == pytest.approx(6.0, rel=1e-6)


def test_free_bits_are_a_floor_of_each_unit() -> None:
    """Units of KL 2 stay, units of KL 0 pay the 0.5 nats that are free: 3 * 0.5 / 4."""
    x = torch.rand(5, 4)
    above = variational.loss(config(free_bits=0.5), parts(2.0, 0.0, 0.0), x, x)[1]["kl"]
    below = variational.loss(config(free_bits=0.5), parts(0.0, 0.0, 0.0), x, x)[1]["kl"]
    assert above.item() == pytest.approx(1.5)
    assert below.item() == pytest.approx(0.375)


def test_kl_equals_torch_s_and_is_never_negative() -> None:
    torch.manual_seed(0)
    mean, log_var = torch.randn(50, 3) * 3, torch.randn(50, 3) * 3
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, (0.5 * log_var).exp()), torch.distributions.Normal(0, 1)
    )
    result = variational.kl(mean, log_var)
    assert torch.allclose(result, expected, rtol=1e-4, atol=1e-5)
    assert (result >= 0).all()


def test_gaussian_likelihood_equals_torch_s() -> None:
    cfg = config(loss="mse", deviation=0.2)
    raw, x = torch.randn(6, 4), torch.rand(6, 4)
    normal = torch.distributions.Normal(raw.sigmoid(), 0.2)
    expected = normal.log_prob(x).sum(1)
    assert torch.allclose(variational.log_likelihood(cfg, raw, x), expected, rtol=1e-4)


def test_importance_weights_reach_the_true_likelihood() -> None:
    """Linear decoder, Gaussian values: x ~ N(0, w w^T + s^2), known in closed form. One draw is
    the bound, which lies above; a thousand come within a hundredth of a nat."""
    torch.manual_seed(0)
    cfg = config(loss="mse", deviation=0.5, output_activation="linear")
    model = nn.ModuleDict({"encoder": nn.Linear(4, 6), "decoder": nn.Linear(3, 4, bias=False)})
    x = torch.randn(7, 4) * 0.5
    weight = model["decoder"].weight
    covariance = weight @ weight.T + 0.25 * torch.eye(4)
    normal = torch.distributions.MultivariateNormal(torch.zeros(4), covariance)
    expected = -normal.log_prob(x).mean().item()
    with torch.no_grad():
        single = torch.stack([variational.nll(cfg, model, x, 1).mean() for _ in range(200)]).mean()
        many = variational.nll(cfg, model, x, 5_000).mean().item()
    assert single > expected + 0.05
    assert many == pytest.approx(expected, abs=0.02)


def test_the_code_is_the_mean_and_has_no_chance() -> None:
    x = torch.rand(5, 4)
    z = variational.encode(config(), parts(2.0, 0.0, 0.0), x)
    assert torch.equal(z, torch.full((5, 3), 2.0))


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_a_bounded_mean_is_refused(activation: str) -> None:
    with pytest.raises(ValueError, match="variational needs code_activation: linear"):
        row("variational", code_activation=activation)


def test_it_learns_to_generate(tmp_path) -> None:
    """Digits of 8 x 8: after thirty epochs a draw from the prior is nearer to a real digit than
    before, and the bound has risen."""
    from helpers.trainings import digits, training_row
    from narrows.data.unit import to_unit
    from narrows.evaluation import measures, pictures
    from narrows.training import fitting

    network = Plugin("networks", "mlp", plugin("networks", "mlp").module.Config(hidden=(64,)))
    optimizer = Plugin("optimizers", "adam", plugin("optimizers", "adam").module.Config(lr=5e-3))
    chosen = row("variational", network=network, optimizer=optimizer)
    train, val = digits()
    result = []

    def nearest(model) -> float:
        coder = measures.of_model(model)
        generated = pictures.generate(coder, to_unit(val[:4]), seed=0)["samples"]
        return (
            torch.cdist(generated.flatten(1), to_unit(train).flatten(1)).min(1).values.mean().item()
        )

    def on_epoch(epoch, metrics, model, layer=0) -> None:
        if epoch in (0, 30):
            bound = measures.variational(model, to_unit(val), n_draws=20, seed=0)
            assert bound is not None
            result.append((nearest(model), bound))

    fitting.fit(
        training_row(chosen, epochs=30), train, val, seed=0, device="cpu", on_epoch=on_epoch
    )
    (far, before), (near, after) = result
    assert near < 0.8 * far
    assert after["elbo"] > before["elbo"] + 3
    assert 0 <= after["kl"] == pytest.approx(sum(after["kl_per_unit"]), rel=1e-5)
    assert -after["elbo"] >= after["nll"]
