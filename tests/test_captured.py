"""Steps that are recorded once and replayed: the same training, without Python in between.

Where there is no GPU helpers/tape.py stands for the CUDA graph. The last test wants a GPU.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from helpers.kinds import ADAM, FAST, ROWS
from helpers.plugins import members, plugin, row
from helpers.refinements import job, method
from helpers.tape import recorded
from helpers.trainings import digits, training_row
from narrows.clustering import refine
from narrows.config import plugins
from narrows.config.plugins import Plugin
from narrows.data.unit import to_unit
from narrows.models.autoencoder import Autoencoder, corrupt
from narrows.training import cuda_graph, fitting
from narrows.training.averaging import Average
from narrows.training.cuda_graph import WARM_UP, Captured

__all__ = ["recorded"]  # a fixture
SGD = Plugin("optimizers", "sgd", plugins.load("optimizers", "sgd").Config(lr=0.1))


def trained(chosen: Plugin, work: Path, **changes: Any) -> fitting.Fitted:
    train, val = digits()
    base = {"epochs": 3, "optimizer": FAST, "schedule": plugin("schedules", "cosine")}
    chosen = training_row(chosen, **{**base, **changes})
    return fitting.fit(chosen, train[:300], val, seed=0, device="cpu", work=work)


def close(a: fitting.Fitted, b: fitting.Fitted) -> bool:
    """A rate on the device has the seven digits of a float32."""
    return all(
        epoch == pytest.approx(other, rel=1e-4, abs=1e-9)
        for epoch, other in zip(a.history, b.history, strict=True)
    )


@pytest.mark.parametrize("name", ROWS)
def test_recorded_steps_train_what_single_ones_train(name: str, tmp_path: Path, request) -> None:
    """Five steps an epoch, the last of fewer samples; noise and rate differ in every epoch."""
    alone = trained(ROWS[name], tmp_path / "alone")
    request.getfixturevalue("recorded")
    replayed = trained(ROWS[name], tmp_path / "replayed")
    assert alone.history[0]["train/loss"] > alone.history[-1]["train/loss"]
    assert close(alone, replayed)


def test_clipped_and_averaged_steps_can_be_recorded(tmp_path: Path, request) -> None:
    """A step has two batches; the last of an epoch, which has one, is taken by itself."""
    changes = {"clip": 0.005, "accumulate": 2, "warmup": 1, "ema": 0.9}
    alone = trained(ROWS["plain"], tmp_path / "alone", **changes)
    request.getfixturevalue("recorded")
    replayed = trained(ROWS["plain"], tmp_path / "replayed", **changes)
    assert close(alone, replayed)


def test_no_average_makes_python_wait_for_the_device() -> None:
    with torch.device("meta"):
        trained_model, own = (Autoencoder(row(), (1, 8, 8)) for _ in range(2))
        average = Average(own, 0.9)
    for weight in trained_model.parameters():
        weight.grad = torch.zeros_like(weight)
    with OneDevice():
        torch.nn.utils.clip_grad_norm_(trained_model.parameters(), 1.0)
        average.update(trained_model)


def test_the_count_of_steps_goes_on_in_recorded_steps(tmp_path: Path, request) -> None:
    keras = {"optimizer": plugin("optimizers", "keras_adam")}
    alone = trained(row(), tmp_path / "alone", **keras)
    request.getfixturevalue("recorded")
    assert close(alone, trained(row(), tmp_path / "replayed", **keras))


def test_momentum_goes_on_in_recorded_steps(tmp_path: Path, request) -> None:
    """Unfused SGD reads a rate into Python, so it stays the same here; a GPU's is fused."""
    changes = {"optimizer": SGD, "schedule": plugin("schedules", "none")}
    alone = trained(row(), tmp_path / "alone", **changes)
    request.getfixturevalue("recorded")
    assert close(alone, trained(row(), tmp_path / "replayed", **changes))


def test_a_rate_that_a_step_reads_into_python_would_show(tmp_path: Path, request) -> None:
    """What the tests above are worth: unfused SGD under a cosine trains on at the first rate."""
    alone = trained(row(), tmp_path / "alone", optimizer=SGD)
    request.getfixturevalue("recorded")
    assert not close(alone, trained(row(), tmp_path / "replayed", optimizer=SGD))


@pytest.mark.parametrize("name", ["dec", "idec", "dcn", "self_label", "vade"])
def test_recorded_steps_refine_what_single_ones_refine(name: str, tmp_path: Path, request) -> None:
    """New targets at every look, a rate that falls from step to step, and a soft reset."""
    reset = {} if name in ("self_label", "vade") else {"reset_every": 2}
    settings = {"anneal": True, "interval": 12, "max_updates": 4, "tolerance": 0.0, **reset}
    slow = Plugin("optimizers", "adam", ADAM.Config(lr=5e-4))
    chosen = method(name, optimizer=slow, **settings)
    noise = plugin("corruptions", "gaussian")
    alone = refine.refine(chosen, job(tmp_path / "alone", name, augmentation=noise))
    request.getfixturevalue("recorded")
    replayed = refine.refine(chosen, job(tmp_path / "replayed", name, augmentation=noise))
    for update, other in zip(alone.history, replayed.history, strict=True):
        assert update == pytest.approx(other, rel=1e-3)
    assert (alone.assignments == replayed.assignments).all()


def test_what_cannot_be_recorded_is_done_step_by_step_and_told(caplog) -> None:
    total = torch.zeros(3)

    def refused(once: Callable[[], None]) -> Callable[[], None]:
        raise RuntimeError("operation not permitted when stream is capturing\nand much more")

    captured = Captured(lambda part: total.add_(part), refused)
    with caplog.at_level(logging.WARNING):
        for _ in range(WARM_UP + 5):
            captured(torch.ones(3))
    assert total.tolist() == [WARM_UP + 5.0] * 3
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.endswith(
        "could not record one: operation not permitted when stream is capturing"
    )


def test_a_batch_of_another_size_is_not_replayed() -> None:
    sizes = []
    captured = Captured(lambda part: sizes.append(len(part)), lambda once: lambda: sizes.append(-1))
    for n in (3, 3, 2, 3, 3, 2, 3):
        captured(torch.ones(n))
    assert sizes == [3, 3, 2, 3, -1, 2, -1]


class OneDevice(TorchDispatchMode):
    """Refuses what joins two devices; what reads a number off a meta tensor torch refuses."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = [t for t in tree_leaves((args, kwargs, out)) if isinstance(t, torch.Tensor)]
        assert len({t.device for t in tensors}) < 2, f"{func} waits for the other device"
        return out


def backward_on_meta(chosen: Plugin, deep: Plugin | None = None) -> None:
    with torch.device("meta"):
        model = Autoencoder(chosen, (1, 8, 8))
        x, target = torch.zeros(16, 1, 8, 8, dtype=torch.uint8), torch.zeros(16, 2)
    codes = np.random.default_rng(0).random((20, 3), np.float32)
    initial = deep.module.parts(deep.config, codes, np.arange(20) % 2) if deep else {}
    parts = {name: part.to("meta") for name, part in initial.items()}
    with OneDevice():
        clean = to_unit(x)
        noisy = corrupt(chosen.config.corruption, clean, torch.Generator())
        if deep is None:
            loss = model.loss(noisy, clean)["loss"]
        else:
            terms = deep.module.loss(deep.config, parts, model, noisy, clean, target)
            loss = torch.stack(list(terms.values())).sum()
        loss.backward()


@pytest.mark.parametrize(
    ("family", "name"),
    [m for f in ("corruptions", "penalties", "networks", "autoencoders") for m in members(f)],
)
def test_no_step_makes_python_wait_for_the_device(family: str, name: str) -> None:
    """Without that no graph can be recorded; the meta device shows it without a GPU."""
    part = {
        "corruptions": "corruption",
        "penalties": "penalty",
        "networks": "network",
    }.get(family)
    sigmoid = "sigmoid" if name == "kl_sparsity" else "linear"
    chosen = {part: plugin(family, name), "code_activation": sigmoid} if part else {"kind": name}
    backward_on_meta(row(**chosen))  # type: ignore[arg-type]


@pytest.mark.parametrize(("family", "name"), members("deep_clusterers"))
def test_no_refining_step_makes_python_wait(family: str, name: str) -> None:
    backward_on_meta(row("variational" if name == "vade" else "plain"), plugin(family, name))


@pytest.mark.parametrize(
    "waits",
    [lambda x: x * float(x.mean()), lambda x: x[x > 0], lambda x: x * torch.ones(1).to(x.device)],
)
def test_a_step_that_waits_would_show(waits: Callable[..., Any], monkeypatch) -> None:
    noise = plugin("corruptions", "gaussian")
    monkeypatch.setattr(noise.module, "corrupt", lambda cfg, x, generator: waits(x))
    with pytest.raises((AssertionError, RuntimeError, NotImplementedError)):
        backward_on_meta(row(corruption=noise))


def test_a_checkpoint_of_a_gpu_goes_on_on_a_cpu() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = ADAM.optimizer(ADAM.Config(), [weight])
    weight.grad = torch.ones(2)
    optimizer.step()
    optimizer.param_groups[0] |= {"lr": torch.tensor(0.25), "capturable": True}
    cuda_graph.settle(optimizer, torch.device("cpu"))
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert not optimizer.param_groups[0]["capturable"]
    optimizer.step()
    assert weight.tolist() == pytest.approx([1 - ADAM.Config().lr - 0.25] * 2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", ROWS)
def test_a_gpu_replays_what_it_does_step_by_step(name: str, tmp_path: Path, monkeypatch) -> None:
    def fit(work: str) -> fitting.Fitted:
        train, val = digits()
        chosen = training_row(ROWS[name], epochs=4, schedule=plugin("schedules", "cosine"))
        return fitting.fit(chosen, train, val, seed=0, device="cuda", work=tmp_path / work)

    replayed = fit("replayed")
    monkeypatch.setattr(cuda_graph, "WARM_UP", -1)
    alone = fit("alone")
    assert close(alone, replayed)
