"""Models of several seeds trained in one step: each ends as it does alone, up to rounding."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.kinds import ADAM, FAST, ROWS
from helpers.plugins import plugin
from helpers.tape import recorded
from helpers.trainings import Killed, digits, training_row
from narrows.config.plugins import Plugin, load
from narrows.training import fitting, many_seeds
from narrows.training.fitting import Fitted
from narrows.training.many_seeds import fit_together

__all__ = ["recorded"]  # a fixture
SEEDS = (3, 0, 7)
DRAWS = ("variational", "contractive", "dropout")  # random numbers within the model


def chosen(name: str, **changes: Any) -> Plugin:
    base = {"epochs": 4, "optimizer": FAST, "schedule": plugin("schedules", "cosine")}
    return training_row(ROWS[name], **{**base, **changes})


def at_once(row: Plugin, work: Path, device: str = "cpu") -> list[Fitted]:
    train, val = digits()
    return fit_together(row, train[:300], val, seeds=SEEDS, device=device, work=work)


def one_by_one(row: Plugin, work: Path, device: str = "cpu") -> list[Fitted]:
    train, val = digits()
    return [
        fitting.fit(row, train[:300], val, seed=seed, device=device, work=work / str(seed))
        for seed in SEEDS
    ]


def alike(a: list[Fitted], b: list[Fitted], rel: float) -> bool:
    """Epoch by epoch."""
    return all(
        x == pytest.approx(y, rel=rel, abs=1e-9)
        for fitted, other in zip(a, b, strict=True)
        for x, y in zip(fitted.history, other.history, strict=True)
    )


@pytest.mark.parametrize("name", [name for name in ROWS if name not in {*DRAWS, "stacked"}])
def test_each_model_ends_as_it_does_alone(name: str, tmp_path: Path) -> None:
    """Sums in another order; batch norm blows that up."""
    row = chosen(name)
    assert many_seeds.why_alone(row, digits()[0]) is None
    together, alone = at_once(row, tmp_path / "at once"), one_by_one(row, tmp_path / "alone")
    rel = 2e-3 if name == "conv" else 1e-5
    assert alike(together, alone, rel)
    x = digits()[1] / 255
    for fitted, other in zip(together, alone, strict=True):
        assert fitted.best_epoch == other.best_epoch
        codes, expected = (trained.model.encode(x).detach() for trained in (fitted, other))
        assert (codes - expected).abs().max() < 10 * rel * expected.abs().max()
    losses = {fitted.history[0]["train/loss"] for fitted in together}
    assert len(losses) == len(SEEDS), "every seed has weights and batches of its own"


@pytest.mark.parametrize("name", [*DRAWS, "stacked"])
def test_what_cannot_be_trained_at_once_is_trained_alone_and_told(name, tmp_path, caplog) -> None:
    row = chosen(name, epochs=2)
    with caplog.at_level(logging.WARNING):
        together = at_once(row, tmp_path / "at once")
    (message,) = [r.getMessage() for r in caplog.records if r.name == "narrows.training.many_seeds"]
    reason = "layers are trained one after the other" if name == "stacked" else "random operation"
    assert reason in message
    for fitted, other in zip(together, one_by_one(row, tmp_path / "alone"), strict=True):
        assert fitted.history == other.history


def test_a_rate_that_follows_the_models_own_loss_is_trained_alone() -> None:
    row = chosen("plain", schedule=plugin("schedules", "plateau"))
    assert many_seeds.why_alone(row, digits()[0]) == "its rate follows its own loss"


def test_an_average_of_weights_is_trained_alone() -> None:
    row = chosen("plain", ema=0.9)
    assert many_seeds.why_alone(row, digits()[0]) == "train.ema keeps an average of its weights"


def test_each_model_has_its_own_gradient_clipped(tmp_path: Path) -> None:
    """And accumulated, while the rate of all of them rises."""
    sgd = Plugin("optimizers", "sgd", load("optimizers", "sgd").Config(lr=1.0))
    others = {"accumulate": 3, "warmup": 1, "optimizer": sgd}
    row = chosen("plain", clip=0.005, **others)
    assert many_seeds.why_alone(row, digits()[0]) is None
    together, alone = at_once(row, tmp_path / "at once"), one_by_one(row, tmp_path / "alone")
    assert alike(together, alone, 1e-5)
    free = one_by_one(chosen("plain", **others), tmp_path / "free")
    assert not alike(free, alone, 1e-3), "the clip was meant to shorten gradients"


def test_each_model_has_patience_of_its_own(tmp_path: Path) -> None:
    wild = Plugin("optimizers", "adam", ADAM.Config(lr=0.2))
    row = chosen("plain", epochs=25, optimizer=wild, patience=2)
    together, alone = at_once(row, tmp_path / "at once"), one_by_one(row, tmp_path / "alone")
    lengths = [len(fitted.history) for fitted in alone]
    assert len(set(lengths)) > 1
    assert max(lengths) < 25
    assert alike(together, alone, rel=1e-2)


def test_a_training_of_several_that_is_killed_goes_on(tmp_path: Path, monkeypatch) -> None:
    row = chosen("noise", epochs=6, patience=3)
    whole = at_once(row, tmp_path / "whole")
    fit_models = many_seeds.fit_models
    for epoch in (2, 5):
        monkeypatch.setattr(many_seeds, "fit_models", partial(fit_models, on_epoch=killer(epoch)))
        with pytest.raises(Killed):
            at_once(row, tmp_path / "killed")
    monkeypatch.undo()
    again = at_once(row, tmp_path / "killed")
    for fitted, other in zip(again, whole, strict=True):
        assert fitted.history == other.history
        weights = zip(fitted.model.parameters(), other.model.parameters(), strict=True)
        assert all(torch.equal(p, q) for p, q in weights)


def killer(at: int) -> Any:
    def on_epoch(epoch: int, *_: Any, **__: Any) -> None:
        if epoch == at:
            raise Killed

    return on_epoch


def test_steps_of_several_can_be_recorded(tmp_path: Path, request) -> None:
    row = chosen("noise")
    alone = at_once(row, tmp_path / "alone")
    request.getfixturevalue("recorded")
    assert alike(at_once(row, tmp_path / "recorded"), alone, rel=1e-4)


def test_several_are_trained_in_bf16(tmp_path: Path) -> None:
    losses = []
    for precision in ("bf16", "fp32"):
        together = at_once(chosen("plain", precision=precision), tmp_path / precision)
        losses.append([fitted.history[-1]["val/loss"] for fitted in together])
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", ["plain", "noise", "conv"])
def test_a_gpu_trains_several_as_it_does_alone(name: str, tmp_path: Path) -> None:
    row = chosen(name)
    together = at_once(row, tmp_path / "at once", "cuda")
    assert alike(together, one_by_one(row, tmp_path / "alone", "cuda"), rel=1e-2)
