"""Training: the loop's arithmetic, stopping, and resuming exactly."""

import dataclasses
import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from helpers.plugins import plugin, row
from helpers.trainings import Killed, digits, fit, same, training_row
from narrows.config.plugins import Plugin, load
from narrows.errors import UserError
from narrows.models import devices
from narrows.training import fitting
from narrows.training.batches import BLOCK_STEPS, Shuffled
from narrows.training.lightning import checkpoint_in


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda content: b"", "EOFError"),
        (lambda content: content[: len(content) // 2], " is damaged ("),
        (lambda content: b"x" * 100, "Weights only load failed"),
        (lambda content: _with_a_bit_flipped(content), "in "),
        (lambda content: _saved({"epoch": 1}), "it holds no state of a training"),
    ],
)
def test_a_damaged_checkpoint_is_said_deleted_and_begun_anew(
    damage: Any, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = training_row(epochs=3)
    whole = fit(chosen, tmp_path / "whole")
    with pytest.raises(Killed):
        fit(chosen, tmp_path / "killed", kill_after=2)
    file = tmp_path / "killed/last.ckpt"
    file.write_bytes(damage(file.read_bytes()))
    capsys.readouterr()
    assert same(fit(chosen, tmp_path / "killed"), whole)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{file} is damaged (")
    assert problem in line


def _with_a_bit_flipped(content: bytes) -> bytes:
    """In the midst of the largest tensor."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        tensors = [archive.read(name) for name in archive.namelist() if "/data/" in name]
    tensor = max(tensors, key=len)
    changed = bytearray(content)
    changed[content.index(tensor) + len(tensor) // 2] ^= 4
    return bytes(changed)


def shorter_weights(state: dict[str, Any]) -> None:
    for name, weight in state["state_dict"].items():
        state["state_dict"][name] = weight[:1].clone()


def shorter_momenta(state: dict[str, Any]) -> None:
    for momenta in state["optimizer_states"][0]["state"].values():
        momenta["exp_avg"] = momenta["exp_avg"][:1].clone()


def shorter_history(state: dict[str, Any]) -> None:
    (progress,) = (s["progress"][0] for s in state["callbacks"].values() if "progress" in s)
    progress["rows"].pop()


@pytest.mark.parametrize("change", [shorter_weights, shorter_momenta, shorter_history])
def test_a_checkpoint_of_another_training_is_said_and_deleted(change: Any, tmp_path: Path) -> None:
    """It is readable, and restoring it fails; the next attempt begins anew."""
    chosen = training_row(epochs=3)
    with pytest.raises(Killed):
        fit(chosen, tmp_path, kill_after=2)
    file = tmp_path / "last.ckpt"
    state = torch.load(file, weights_only=True)
    change(state)
    torch.save(state, file)
    with pytest.raises(UserError, match=r"last.ckpt does not go with its row \(.*run `dvc repro`"):
        fit(chosen, tmp_path)
    assert not file.exists()


def test_a_folder_for_a_checkpoint_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt/inside").mkdir(parents=True)
    assert checkpoint_in(tmp_path) is None
    assert not (tmp_path / "last.ckpt").exists()


def _saved(state: dict[str, int]) -> bytes:
    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getvalue()


SCHEDULES = [
    plugin("schedules", "none"),
    plugin("schedules", "cosine"),
    Plugin("schedules", "plateau", load("schedules", "plateau").Config(patience=1)),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.name)
def test_a_training_killed_four_times_equals_an_uninterrupted_one(tmp_path, schedule) -> None:
    chosen = training_row(epochs=8, schedule=schedule, patience=4)
    whole = fit(chosen, tmp_path / "whole")
    for epoch in (1, 3, 5, 8):  # within an epoch: its checkpoint is not yet written
        with pytest.raises(Killed):
            fit(chosen, tmp_path / "killed", kill_after=epoch)
    assert same(fit(chosen, tmp_path / "killed"), whole)
    assert [r["epoch"] for r in whole.history] == list(range(1, 9))


def test_a_stacked_training_resumes_in_the_right_layer(tmp_path: Path) -> None:
    """Two layers of two epochs, then three of fine-tuning, killed in each of them."""
    network = Plugin("networks", "mlp", load("networks", "mlp").Config(hidden=(20,)))
    chosen = training_row(row("stacked", code_activation="relu", network=network), epochs=3)
    layered = dataclasses.replace(chosen.config, layer_epochs=2, penalty=plugin("penalties", "l1"))
    chosen = dataclasses.replace(chosen, config=layered)
    whole = fit(chosen, tmp_path / "whole")
    for layer, epoch in ((1, 2), (2, 1), (2, 2), (0, 2)):
        with pytest.raises(Killed):
            fit(chosen, tmp_path / "killed", kill_after=epoch, kill_in_layer=layer)
    resumed = fit(chosen, tmp_path / "killed")
    assert same(resumed, whole)
    assert [len(layer.history) for layer in resumed.layers] == [2, 2]
    assert all(same(a, b) for a, b in zip(resumed.layers, whole.layers, strict=True))


def test_a_stacked_row_starts_from_its_layers() -> None:
    """Before the fine-tuning, encoding is the layers' encoders in order, decoding their decoders
    in reverse."""
    network = Plugin("networks", "mlp", load("networks", "mlp").Config(hidden=(20,)))
    chosen = training_row(row("stacked", network=network), epochs=1)
    first: list[Any] = []

    def keep(epoch: int, metrics: dict[str, float], model: Any, layer: int = 0) -> None:
        if layer == 0 and epoch == 0:
            x = val[:5] / 255
            first.extend([model.encode(x).detach(), model.decode(model.encode(x)).detach()])

    train, val = digits()
    fitted = fitting.fit(chosen, train, val, seed=0, device="cpu", on_epoch=keep)
    lower, upper = (layer.model for layer in fitted.layers)
    z = upper.encode(lower.encode(val[:5] / 255))
    assert torch.equal(first[0], z)
    assert torch.allclose(first[1], lower.decode(torch.relu(upper.decode(z))))


def test_noise_is_new_in_each_epoch_and_the_same_in_each_validation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two samples to train on and three to validate, all of one grey: order plays no part."""
    gaussian = load("corruptions", "gaussian")
    added: dict[int, list[Tensor]] = {2: [], 3: []}  # by the number of samples

    def corrupt(cfg: Any, x: Tensor, generator: torch.Generator) -> Tensor:
        noisy: Tensor = gaussian_corrupt(cfg, x, generator)
        added[len(x)].append(noisy - x)
        return noisy

    gaussian_corrupt = gaussian.corrupt
    monkeypatch.setattr(gaussian, "corrupt", corrupt)
    noise = Plugin("corruptions", "gaussian", gaussian.Config(std=0.05))
    chosen = training_row(row(corruption=noise), epochs=2)
    grey = torch.full((5, 1, 8, 8), 128, dtype=torch.uint8)
    fitting.fit(chosen, grey[:2], grey[2:], seed=0, device="cpu")
    (first, second), (once, again) = added[2], added[3]
    assert first.abs().min() > 0
    assert not torch.equal(first, second)
    assert once.abs().min() > 0
    assert torch.equal(once, again)


def test_a_last_batch_of_one_sample_joins_the_one_before() -> None:
    assert sizes(shuffled(9, 4)) == [(4,), (5,)]
    assert sizes(shuffled(10, 4, smallest=4)) == [(4,), (6,)]
    assert sizes(shuffled(1, 4)) == [(1,)]
    assert [len(shuffled(n, 1)) for n in (BLOCK_STEPS, BLOCK_STEPS + 1)] == [1, 2]
    assert len(shuffled(4 * BLOCK_STEPS + 1, 4)) == 1


def test_finished_work_that_is_resumed_trains_no_further(tmp_path: Path) -> None:
    chosen = training_row(epochs=30, patience=1, optimizer=_sgd(lr=40.0), precision="bf16")
    once = fit(chosen, tmp_path)
    assert len(once.history) < 30, "this row was meant to stop early"
    again = fit(chosen, tmp_path)
    assert same(again, once)
    assert again.precision == "bf16"


def test_bf16_trains_almost_as_fp32_and_resumes_exactly(tmp_path: Path) -> None:
    """Products have 8 bits of mantissa, errors of some parts in a thousand; the weights have 24."""
    whole = fit(training_row(epochs=3), tmp_path / "fp32")
    chosen = training_row(epochs=3, precision="bf16")
    mixed = fit(chosen, tmp_path / "bf16")
    losses = [[epoch["val/loss"] for epoch in run.history] for run in (mixed, whole)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]
    assert (mixed.precision, whole.precision) == ("bf16", "fp32")
    assert {weight.dtype for weight in mixed.model.parameters()} == {torch.float32}
    with pytest.raises(Killed):
        fit(chosen, tmp_path / "killed", kill_after=2)
    assert same(fit(chosen, tmp_path / "killed"), mixed)


def test_fp16_trains_almost_as_fp32_and_resumes_exactly(tmp_path: Path) -> None:
    """Its first steps overflow, are left out and make the scale smaller, which is resumed, too."""
    whole = fit(training_row(epochs=4, clip=1.0), tmp_path / "fp32")
    chosen = training_row(epochs=4, precision="fp16", clip=1.0)
    mixed = fit(chosen, tmp_path / "fp16")
    losses = [[epoch["val/loss"] for epoch in run.history] for run in (mixed, whole)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]
    assert mixed.precision == "fp16"
    with pytest.raises(Killed):
        fit(chosen, tmp_path / "killed", kill_after=2)
    assert same(fit(chosen, tmp_path / "killed"), mixed)


def test_an_infinite_gradient_of_fp16_moves_nothing() -> None:
    chosen = training_row(precision="fp16")
    module = fitting.Fit(chosen, *digits(), 0)
    module.on_fit_start()
    weight = next(module.model.parameters())
    optimizer = torch.optim.SGD([weight], lr=1.0)
    module.optimizer = lambda: optimizer
    before, weight.grad = weight.detach().clone(), torch.full_like(weight, torch.inf)
    module.scaler.scale(torch.zeros(()))  # makes its scale
    module.step_optimizer()
    assert torch.equal(weight, before)
    assert module.scaler.get_scale() == 2**15


@pytest.mark.parametrize(
    ("features", "expected"),
    [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx512_f": True}, "fp32")],
)
def test_auto_takes_bf16_where_the_processor_has_it(features, expected, monkeypatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    assert devices.precision_on(torch.device("cpu"), "auto") == expected
    assert devices.precision_on(torch.device("mps"), "auto") == "fp32"
    assert devices.precision_on(torch.device("cpu"), "bf16") == "bf16"


@pytest.mark.parametrize(
    ("has_bf16", "capability", "expected"),
    [(True, (8, 0), "bf16"), (False, (7, 5), "fp16"), (False, (6, 1), "fp32")],
)
def test_auto_takes_fp16_where_a_gpu_has_tensor_cores_but_no_bf16(
    has_bf16: bool, capability: tuple[int, int], expected: str, monkeypatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bf16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert devices.precision_on(torch.device("cuda"), "auto") == expected


def test_a_profiler_reports_on_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NARROWS_PROFILER", "simple")
    fit(training_row(epochs=1), tmp_path / "autoencoders.narrow-1")
    (report,) = Path(".work/profiles").iterdir()
    assert "autoencoders.narrow-1" in report.name
    assert "training_step" in report.read_text()
    monkeypatch.setenv("NARROWS_PROFILER", "Simple")
    with pytest.raises(UserError, match="'Simple'; accepted are simple, advanced, pytorch"):
        fit(training_row(epochs=1), tmp_path / "other")


def test_early_stopping_stops_and_keeps_the_best_epoch(tmp_path: Path) -> None:
    fitted = fit(training_row(epochs=30, patience=2, optimizer=_sgd(lr=40.0)), tmp_path)
    losses = [r["val/loss"] for r in fitted.history]
    assert len(losses) <= fitted.best_epoch + 2
    assert losses[fitted.best_epoch - 1] == min(losses)
    _, val = digits()
    x = val / 255
    loss = fitted.model.loss(x, x)["loss"].item()
    assert loss == pytest.approx(min(losses), rel=1e-5)


def test_a_loss_that_is_no_longer_finite_is_an_error(tmp_path: Path) -> None:
    chosen = training_row(row(loss="mse"), epochs=5, optimizer=_sgd(lr=1e30))
    chosen = dataclasses.replace(
        chosen, config=dataclasses.replace(chosen.config, output_activation="linear")
    )
    with pytest.raises(UserError, match=r"(train|val)/loss became (nan|inf) in epoch \d"):
        fit(chosen, tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has what is asked for")
def test_a_device_that_is_not_there_is_told() -> None:
    train, val = digits()
    with pytest.raises(UserError, match="device is cuda, which torch does not find"):
        fitting.fit(row(), train, val, seed=0, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_trained_model_stays_on_its_device(tmp_path: Path) -> None:
    train, val = digits()
    chosen = training_row(row("stacked"), epochs=1)
    fitted = fitting.fit(chosen, train, val, seed=0, device="cuda", work=tmp_path)
    assert {part.model.device.type for part in (fitted, *fitted.layers)} == {"cuda"}


def test_a_row_is_fitted_with_nothing_but_data_and_a_seed(tmp_path: Path) -> None:
    train, val = digits()
    chosen = training_row(epochs=1)
    fitted = fitting.fit(chosen, train, val, seed=0)
    with_folder = fitting.fit(chosen, train, val, seed=0, work=tmp_path)
    assert fitted.history == with_folder.history


def test_an_import_changes_nothing_that_others_share() -> None:
    program = """
import gc, logging, os, warnings
import pytorch_lightning, torch

def shared():
    level = logging.getLogger("pytorch_lightning").level
    return gc.get_threshold(), list(warnings.filters), level, dict(os.environ)

before = shared()
from narrows.training import fitting, lightning, many_seeds
assert shared() == before
for _ in range(2):
    lightning.quieten()
assert len(warnings.filters) == len(before[1]) + 2
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_train_loss_is_the_mean_over_samples_not_over_batches(tmp_path: Path) -> None:
    """With a rate of almost 0 the model stands still, so the epoch's loss can be computed after
    it; 600 samples in batches of 64 leave a last one of 24."""
    fitted = fit(training_row(epochs=1, optimizer=_sgd(lr=1e-30, momentum=0.0)), tmp_path)
    train, _ = digits()
    expected = fitted.model.loss(train / 255, train / 255)["loss"].item()
    assert fitted.history[0]["train/loss"] == pytest.approx(expected, rel=1e-6)


def test_schedules_move_the_rate(tmp_path: Path) -> None:
    """Half a cosine over four epochs from 0.001: cos(pi e / 4) at e = 0, 1, 2, 3."""
    fitted = fit(training_row(epochs=4, schedule=plugin("schedules", "cosine")), tmp_path)
    expected = [0.001, 0.00085355, 0.0005, 0.00014645]
    assert [r["lr"] for r in fitted.history] == pytest.approx(expected, rel=1e-4)


def test_batches_cover_every_sample_once_in_a_new_order_each_epoch() -> None:
    epoch, n = 0, 2 * BLOCK_STEPS + 5
    batches = Shuffled(torch.zeros(n, 1), 1, lambda: epoch, torch.device("cpu"))

    def order() -> Tensor:
        return torch.cat([rows for block in batches for (rows,) in block])

    first, again = order(), order()
    epoch = 1
    second = order()
    assert len(batches) == len(list(batches)) == 3
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert torch.equal(first.sort().values, torch.arange(n))
    assert torch.equal(second.sort().values, torch.arange(n))


def test_batches_whose_gradient_is_one_step_come_together() -> None:
    """Three at a time, whatever a block holds; the last step has what is left."""
    assert sizes(shuffled(10, 2, n_together=3)) == [(2, 2, 2), (2, 2)]
    batches = shuffled(3 * BLOCK_STEPS + 1, 1, smallest=1, n_together=3)
    assert len(batches) == len(list(batches)) == 2
    assert sizes(batches)[-1] == (1,)


def sizes(batches: Shuffled) -> list[tuple[int, ...]]:
    """Number of samples of every batch, by step."""
    return [tuple(map(len, step)) for block in batches for step in block]


def shuffled(n: int, batch_size: int, smallest: int = 2, n_together: int = 1) -> Shuffled:
    x, cpu = torch.zeros(n, 1), torch.device("cpu")
    return Shuffled(x, batch_size, lambda: 0, cpu, smallest, n_together)


ALL = {"clip": 0.5, "accumulate": 2, "warmup": 2, "ema": 0.9}


@pytest.mark.parametrize("kind", ["plain", "stacked", "variational"])
def test_clipped_averaged_trainings_resume_exactly(kind: str, tmp_path: Path) -> None:
    """With clip, accumulate, warmup and ema at once, of every kind; batch norm counts its steps."""
    norm = {} if kind == "stacked" else {"batch_norm": True}
    network = Plugin("networks", "mlp", load("networks", "mlp").Config(hidden=(12,), **norm))
    schedule = plugin("schedules", "cosine")
    base = row(kind, network=network)
    if kind == "stacked":
        layered = dataclasses.replace(base.config, layer_epochs=3)
        base = dataclasses.replace(base, config=layered)
    chosen = training_row(base, epochs=4, schedule=schedule, **ALL)
    whole = fit(chosen, tmp_path / "whole")
    for epoch in (1, 3):
        with pytest.raises(Killed):
            fit(chosen, tmp_path / "killed", kill_after=epoch)
    resumed = fit(chosen, tmp_path / "killed")
    assert same(resumed, whole)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name


def test_batches_that_are_accumulated_are_one_large_batch(tmp_path: Path) -> None:
    """600 samples as 18 batches of 32 and one of 24, three a step, are batches of 96 and one of
    24; their samples come in the same order."""
    optimizer = _sgd(lr=0.5)
    small = training_row(epochs=2, batch_size=32, accumulate=3, optimizer=optimizer)
    large = training_row(epochs=2, batch_size=96, optimizer=optimizer)
    ours, theirs = fit(small, tmp_path / "small"), fit(large, tmp_path / "large")
    for a, b in zip(ours.model.parameters(), theirs.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def noted(weights: list[Tensor]) -> Any:
    """An `on_epoch` that adds all weights of the model, in one tensor."""

    def on_epoch(epoch: int, _: Any, model: Any, **__: Any) -> None:
        weights.append(torch.cat([weight.detach().flatten() for weight in model.parameters()]))

    return on_epoch


def test_a_clipped_step_is_as_long_as_is_said(tmp_path: Path) -> None:
    """One step on all 600 samples, by plain gradient descent with a rate of 1: from the same start
    it has the same direction, and length 0.01."""
    moves = []
    for clip in (None, 0.01):
        optimizer = _sgd(lr=1.0, momentum=0.0)
        chosen = training_row(epochs=1, batch_size=600, optimizer=optimizer, clip=clip)
        weights: list[Tensor] = []
        fitting.fit(chosen, *digits(), seed=0, device="cpu", on_epoch=noted(weights))
        moves.append(weights[1] - weights[0])
    free, clipped = moves
    assert free.norm() > 0.02
    assert clipped.norm().item() == pytest.approx(0.01, rel=1e-3)
    torch.testing.assert_close(clipped / clipped.norm(), free / free.norm(), rtol=0, atol=1e-3)


def test_the_rate_rises_before_the_schedule_begins() -> None:
    """Thirds of .001 in two epochs, then half a cosine over the other three: 1, 3/4, 1/4."""
    cosine = training_row(epochs=5, schedule=plugin("schedules", "cosine"), warmup=2)
    fitted = fitting.fit(cosine, *digits(), seed=0, device="cpu")
    expected = [0.001 / 3, 0.002 / 3, 0.001, 0.00075, 0.00025]
    assert [r["lr"] for r in fitted.history] == pytest.approx(expected, rel=1e-6)


def test_what_is_kept_is_the_average_of_the_steps() -> None:
    """Three steps, one an epoch: decay .6 keeps .6 of the average from the third one on, and halves
    it at the second. What is validated is the average."""
    optimizer, steps_taken = _sgd(lr=0.5, momentum=0.0), []
    averages: list[Tensor] = []
    for ema, weights in ((None, steps_taken), (0.6, averages)):
        chosen = training_row(epochs=3, batch_size=600, optimizer=optimizer, ema=ema)
        fitted = fitting.fit(chosen, *digits(), seed=0, device="cpu", on_epoch=noted(weights))
    first, second, third = steps_taken[1:]
    halved = (first + second) / 2
    torch.testing.assert_close(averages[1], first)
    torch.testing.assert_close(averages[2], halved)
    torch.testing.assert_close(averages[3], 0.6 * halved + 0.4 * third)
    _, val = digits()
    loss = fitted.model.loss(val / 255, val / 255)["loss"].item()
    assert loss == pytest.approx(fitted.history[fitted.best_epoch - 1]["val/loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"warmup": 3}, "warmup: it should be less than epochs, 3, found 3"),
        ({"clip": 0.0}, "greater than 0"),
        ({"ema": 1.0}, "less than 1"),
        ({"accumulate": 0}, "greater than 0"),
    ],
)
def test_values_that_train_nothing_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        training_row(epochs=3, **changes)


def _sgd(lr: float, momentum: float = 0.9) -> Plugin:
    return Plugin("optimizers", "sgd", load("optimizers", "sgd").Config(lr=lr, momentum=momentum))
