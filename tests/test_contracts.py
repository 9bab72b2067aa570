"""Every file in a family folder keeps the family's contract. A new file is tested by existing."""

import ast
import inspect
import itertools

import numpy as np
import pytest
import torch
from torch import nn

from helpers.plugins import build, members, plugin, row
from narrows.clustering.clusterers._base import Clusterer
from narrows.clustering.deep_clusterers._base import DeepClusterer
from narrows.clustering.state import hardened
from narrows.config import plugins
from narrows.config.plugins import Plugin
from narrows.errors import UserError
from narrows.models.autoencoder import corrupt
from narrows.models.autoencoders._base import Kind, Variational
from narrows.models.baselines._base import Baseline
from narrows.models.corruptions._base import Corruption
from narrows.models.networks._base import Network
from narrows.models.penalties._base import Penalty
from narrows.models.pretrained._base import Pretrained
from narrows.training.optimizers._base import Optimizer
from narrows.training.schedules._base import Schedule

SHAPES = [(1, 8, 8), (3, 8, 12), (5,)]


FAMILIES = ("datasets", "corruptions", "networks", "penalties", "optimizers", "schedules")
FAMILIES += ("pretrained", "baselines", "autoencoders", "clusterers", "deep_clusterers")


@pytest.mark.parametrize(("family", "name"), [m for f in FAMILIES for m in members(f)])
def test_plugin_says_what_it_is(family: str, name: str) -> None:
    module = plugins.load(family, name)
    assert module.__doc__
    assert hasattr(module, "Config")


PROTOCOLS: dict[str, type] = {
    "autoencoders": Kind,
    "baselines": Baseline,
    "clusterers": Clusterer,
    "corruptions": Corruption,
    "deep_clusterers": DeepClusterer,
    "networks": Network,
    "optimizers": Optimizer,
    "penalties": Penalty,
    "pretrained": Pretrained,
    "schedules": Schedule,
}


@pytest.mark.parametrize(("family", "name"), [m for f in PROTOCOLS for m in members(f)])
def test_member_has_the_verbs_of_its_family(family: str, name: str) -> None:
    """By the names of their arguments; `Config` is of the family's base where there is one."""
    module = plugins.load(family, name)
    has_posterior = family == "autoencoders" and module.HAS_POSTERIOR
    for protocol in (PROTOCOLS[family], *([Variational] if has_posterior else [])):
        assert isinstance(module, protocol)
        for verb, function in inspect.getmembers(protocol, inspect.isfunction):
            if not verb.startswith("_"):
                expected = [*inspect.signature(function).parameters][1:]  # less self
                assert [*inspect.signature(getattr(module, verb)).parameters] == expected
    settings = {"corruptions": ("pictures_only",), "networks": ("depth", "mixes_samples")}
    config = plugin(family, name).config if family != "autoencoders" else row(name).config
    assert all(getattr(config, setting) is not None for setting in settings.get(family, ()))
    assert family != "optimizers" or config.lr > 0


def test_every_knob_has_a_docstring() -> None:
    """Every field of every class that params.yaml fills, in plug-ins and in the core."""
    n_fields = 0
    for file in plugins.PACKAGE.rglob("*.py"):
        for cls in ast.walk(ast.parse(file.read_text())):
            if not (
                isinstance(cls, ast.ClassDef) and "config" in map(ast.unparse, cls.decorator_list)
            ):
                continue
            for i, node in enumerate(cls.body):
                if isinstance(node, ast.AnnAssign):
                    after = cls.body[i + 1] if i + 1 < len(cls.body) else None
                    text = after.value if isinstance(after, ast.Expr) else None
                    is_documented = isinstance(text, ast.Constant)
                    assert is_documented, (
                        f"{file.name}:{node.lineno} {cls.name} needs a docstring here"
                    )
                    n_fields += 1
    assert n_fields > 30


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("family", "name"), members("networks"))
def test_network_joins_any_shape_to_a_code(family: str, name: str, shape: tuple[int, ...]) -> None:
    network = plugin(family, name)
    if name == "conv" and len(shape) == 1:
        with pytest.raises(UserError, match=r"found samples of shape \(5,\)"):
            network.module.encoder(network.config, shape, 3)
        with pytest.raises(UserError, match=r"found samples of shape \(5,\)"):
            network.module.decoder(network.config, 3, shape)
        return
    encoder = network.module.encoder(network.config, shape, 3)
    decoder = network.module.decoder(network.config, 3, shape)
    z = encoder(torch.randn(64, *shape))
    assert z.shape == (64, 3)
    assert z.min() < 0  # no activation after the last layer
    assert decoder(z).shape == (64, *shape)


@pytest.mark.parametrize("loss", ["bce", "mse"])
@pytest.mark.parametrize(("family", "name"), members("autoencoders"))
class TestAutoencoder:
    shape = (1, 8, 8)

    def test_code_is_deterministic_and_of_the_row_s_size(self, family, name, loss) -> None:
        model, x = build(row(name, loss), self.shape), torch.rand(5, *self.shape)
        z = model.encode(x)
        assert z.shape == (5, 3)
        assert torch.equal(z, model.encode(x))
        assert model.decode(z).shape == x.shape
        assert ((model.decode(z) >= 0) & (model.decode(z) <= 1)).all()

    def test_loss_is_a_mean_over_the_batch(self, family, name, loss) -> None:
        """Fifty times the same batch has the same loss: no term is summed over the batch."""
        model, x = build(row(name, loss), self.shape), torch.rand(3, *self.shape)
        once, often = model.loss(x, x), model.loss(x.repeat(50, 1, 1, 1), x.repeat(50, 1, 1, 1))
        assert often["loss"].item() == pytest.approx(once["loss"].item(), rel=0.05)
        terms = [value.item() for key, value in once.items() if key != "loss"]
        assert not terms or once["loss"].item() == pytest.approx(sum(terms))

    def test_every_weight_gets_a_gradient(self, family, name, loss) -> None:
        model, x = build(row(name, loss), self.shape), torch.rand(4, *self.shape)
        model.loss(x, x)["loss"].backward()
        weights = list(model.parameters())
        assert weights
        assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in weights)

    def test_overfits_one_batch(self, family, name, loss) -> None:
        model, x = build(row(name, loss), self.shape), (torch.rand(8, *self.shape) > 0.5).float()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        first = ((model.decode(model.encode(x)) - x) ** 2).mean().item()
        for _ in range(300):
            optimizer.zero_grad()
            model.loss(x, x)["loss"].backward()
            optimizer.step()
        assert ((model.decode(model.encode(x)) - x) ** 2).mean().item() < 0.6 * first


COMBINATIONS = list(
    itertools.product(
        plugins.available("autoencoders"),
        plugins.available("networks"),
        plugins.available("corruptions"),
        plugins.available("penalties"),
    )
)


def makes_no_sense(kind: str, network: str, corruption: str, penalty: str) -> bool:
    if kind == "variational":  # its code is a mean, not between 0 and 1
        return penalty == "kl_sparsity"
    picky = network == "conv" or plugin("corruptions", corruption).config.pictures_only
    return kind == "stacked" and picky


@pytest.mark.parametrize(("kind", "network", "corruption", "penalty"), COMBINATIONS)
def test_every_combination_trains_or_is_refused(kind, network, corruption, penalty) -> None:
    """Two steps of each phase on colour pictures: finite losses, and weights that move."""
    sigmoid = plugins.load("networks", "mlp").Config(hidden=(7,), activation="sigmoid")

    def chosen() -> Plugin:
        return row(
            kind,
            code_activation="linear" if kind == "variational" else "sigmoid",
            network=Plugin("networks", "mlp", sigmoid)
            if network == "mlp"
            else plugin("networks", network),
            corruption=plugin("corruptions", corruption),
            penalty=plugin("penalties", penalty),
        )

    if makes_no_sense(kind, network, corruption, penalty):
        with pytest.raises(
            ValueError, match=r"(network|corruption|penalty)\.?\w*: .+; found|cannot"
        ):
            chosen()
        return
    whole, pictures = chosen(), torch.rand(4, 3, 8, 8)
    x = pictures
    for phase in whole.module.layers(whole.config):
        x = two_steps(phase, x)
    two_steps(whole, pictures)


def test_stacked_layers_mask_codes_as_well_as_pictures() -> None:
    """Masking noise, of the stacked denoising autoencoders of Vincent et al. 2010."""
    sigmoid = plugins.load("networks", "mlp").Config(hidden=(7,), activation="sigmoid")
    masking = plugins.load("corruptions", "occlusion").Config(shape="pixels", fraction=0.25)
    parts = {
        "network": Plugin("networks", "mlp", sigmoid),
        "corruption": Plugin("corruptions", "occlusion", masking),
    }
    whole = row("stacked", code_activation="sigmoid", **parts)
    x = torch.rand(4, 3, 8, 8)
    for phase in whole.module.layers(whole.config):
        x = two_steps(phase, x)
    assert x.shape == (4, 3)


def two_steps(phase: Plugin, x: torch.Tensor) -> torch.Tensor:
    """The codes of x (B, ...) after two steps."""
    model = build(phase, tuple(x.shape[1:]))
    before = [w.detach().clone() for w in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        noisy = corrupt(phase.config.corruption, x, torch.Generator().manual_seed(0))
        loss = model.loss(noisy, x)["loss"]
        loss.backward()
        optimizer.step()
        assert torch.isfinite(loss)
    moved = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert all(moved)
    return model.encode(x).detach()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("family", "name"), members("corruptions"))
def test_corruption_keeps_range_and_obeys_the_generator(family, name, shape) -> None:
    corruption, x = plugin(family, name), torch.rand(4, *shape)
    clean = x.clone()

    def noisy_by(seed: int) -> torch.Tensor:
        return corrupt(corruption, x, torch.Generator().manual_seed(seed))

    if corruption.config.pictures_only and len(shape) == 1:
        with pytest.raises(UserError, match=r"found samples of shape \(5,\)"):
            noisy_by(7)
        return
    noisy = noisy_by(7)
    assert torch.equal(noisy, noisy_by(7))
    assert torch.equal(noisy, noisy_by(8)) == (name == "none")
    assert noisy.shape == x.shape
    assert noisy.dtype == x.dtype
    assert ((noisy >= 0) & (noisy <= 1)).all()
    assert torch.equal(x, clean), "the clean batch was changed"


@pytest.mark.parametrize(("family", "name"), members("penalties"))
def test_penalty_is_a_mean_over_the_batch_and_never_negative(family, name) -> None:
    """With finite gradients in training, and in validation, where autograd is off."""
    penalty = plugin(family, name)
    encoder = nn.Sequential(nn.Linear(5, 3), nn.Sigmoid() if name == "kl_sparsity" else nn.Tanh())

    def value(x: torch.Tensor) -> torch.Tensor:
        return penalty.module.penalty(penalty.config, encoder(x), x, encoder)

    x = torch.rand(6, 5)
    once = value(x)
    assert (once is None) == (name == "none")
    if once is None:
        return
    assert once.shape == ()
    assert once > 0
    assert value(x.repeat(50, 1)).item() == pytest.approx(once.item(), rel=1e-4)
    once.backward()
    assert all(w.grad is not None and w.grad.isfinite().all() for w in encoder.parameters())
    with torch.inference_mode():
        x = x + 0  # an inference tensor, as batches are in validation
        assert value(x).item() == pytest.approx(once.item(), rel=1e-5)


@pytest.mark.parametrize(("family", "name"), members("optimizers"))
def test_optimizer_goes_downhill(family, name) -> None:
    optimizer, weight = plugin(family, name), nn.Parameter(torch.tensor([1.0]))
    stepper = optimizer.module.optimizer(optimizer.config, [weight])
    for _ in range(5):
        stepper.zero_grad()
        (weight**2).sum().backward()
        stepper.step()
    assert 0 < weight.item() < 1


@pytest.mark.parametrize(("family", "name"), members("schedules"))
def test_schedule_never_raises_the_rate(family, name) -> None:
    schedule, weight = plugin(family, name), nn.Parameter(torch.tensor([1.0]))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    stepper = schedule.module.schedule(schedule.config, optimizer, 4)
    rates = [0.5]
    for _ in range(4):
        optimizer.step()
        stepper.step(1.0) if schedule.module.FOLLOWS_LOSS else stepper.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == sorted(rates, reverse=True)
    assert all(rate >= 0 for rate in rates)
    assert (rates[-1] < 0.5) == (name == "cosine")


@pytest.mark.parametrize(("family", "name"), members("baselines"))
def test_baseline_encodes_and_decodes_from_saved_arrays(family, name, tmp_path) -> None:
    baseline = plugin(family, name)
    x = np.random.default_rng(0).random((40, 5)).astype(np.float32)
    np.savez(tmp_path / "state.npz", **baseline.module.fit(baseline.config, x, seed=0))
    with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
        z = baseline.module.encode(state, x)
        x_hat = baseline.module.decode(state, z)
    assert len(z) == 40
    assert x_hat.shape == x.shape
    assert ((x_hat - x) ** 2).mean() < x.var()


@pytest.mark.parametrize(("family", "name"), members("clusterers"))
class TestClusterer:
    def blobs(self) -> np.ndarray:
        centres = np.repeat(np.eye(3) * 50, 20, axis=0)
        noise = np.random.default_rng(0).normal(size=centres.shape)
        return (centres + noise).astype(np.float32)

    def test_finds_three_far_blobs_and_predicts_from_saved_arrays(self, family, name, tmp_path):
        clusterer, z = plugin(family, name), self.blobs()
        np.savez(tmp_path / "state.npz", **clusterer.module.fit(clusterer.config, z, 3, seed=0))
        with np.load(tmp_path / "state.npz", allow_pickle=False) as arrays:
            state = dict(arrays)
        clusters = clusterer.module.predict(state, z)
        assert clusters.shape == (60,)
        assert [len(set(clusters[i : i + 20])) for i in (0, 20, 40)] == [1, 1, 1]
        assert len(set(clusters)) == 3
        soft = clusterer.module.soft(state, z)
        assert np.allclose(soft.sum(axis=1), clusters >= 0)
        assert hardened(soft).tolist() == clusters.tolist()
        assert clusterer.module.HAS_MEMBERSHIPS or set(np.unique(soft)) <= {0.0, 1.0}

    def test_obeys_its_seed(self, family, name) -> None:
        clusterer, z = plugin(family, name), self.blobs()
        once, again = (clusterer.module.fit(clusterer.config, z, 3, seed=1) for _ in "ab")
        assert once.keys() == again.keys()
        assert all(np.array_equal(once[key], again[key]) for key in once)
