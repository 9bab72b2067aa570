"""Two processes that train one model together: what they leave is what one leaves."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from sklearn.datasets import load_digits

from helpers import warm
from helpers.project import Project, row
from narrows.config import params
from narrows.data import prepared
from narrows.errors import UserError
from narrows.training import fitting
from narrows.training.lightning import Processes

LAYERED = row(batch_size=63, epochs=3) | {
    "name": "stacked",
    "network": {"name": "mlp", "hidden": [16], "activation": "sigmoid"},
    "corruption": {"name": "gaussian", "std": 0.3},
    "layer_epochs": 2,
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path, {"layered": LAYERED})
    monkeypatch.chdir(tmp_path)
    x = (load_digits().images[:1200, None] * 15.9).astype("uint8")
    Path("data/digits").mkdir(parents=True)
    np.save("data/digits/x.npy", x)
    np.save("data/digits/split.npy", np.arange(1200).astype("uint8") % 4 % 3)
    return project


def history(file: str) -> list[list[float]]:
    with Path("artifacts/digits/encoders/layered", file).open(newline="") as stream:
        return [[float(value) for value in line.values()] for line in csv.DictReader(stream)]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("noise", ["same", "none"])
def test_two_processes_train_what_one_trains(project: Project, noise: str) -> None:
    """Layers, noise, and batches of 63, of which one process takes 32 and the other 31. Sums of
    floats in another order differ in the last bits."""
    raw = project.read()
    if noise == "none":  # each process reads its own samples only
        raw["autoencoders"]["layered"]["corruption"] = {"name": "none"}
    project.write(raw | {"devices": 2, "searches": {}, "same_noise": noise == "same"})
    started = project.start("pipelines/encode.py", "layered", python=warm.python())
    output, _ = started.communicate(timeout=300)
    assert started.returncode == 0
    assert output.count("encode: layered: epoch 1,") == 1, "the other process is silent"

    data = prepared.read("digits")
    chosen = params.load().autoencoders["layered"]
    train, val = data.samples("train"), data.samples("val")
    alone = fitting.fit(chosen, train, val, seed=0, device="cpu")
    for file, fitted in (("history.csv", alone), ("history-layer-1.csv", alone.layers[0])):
        expected = [list(line.values()) for line in fitted.history]
        for line, other in zip(history(file), expected, strict=True):
            assert line == pytest.approx(other, rel=1e-4)
    client = MlflowClient(f"sqlite:///{project.folder}/mlruns/mlflow.db")
    runs = client.search_runs(["1"])
    assert [run.info.status for run in runs] == ["FINISHED"], "one run, of the one that leads"
    left = json.loads(Path("artifacts/digits/encoders/layered/train.json").read_text())
    assert left["epochs_run"] == 2 + 2 + 3
    assert not list(Path(".work/checkpoints").glob("*")), "checkpoints of finished work are removed"


@pytest.mark.parametrize(("same_noise", "read"), [(True, 7), (False, 3)])
def test_a_process_reads_what_it_needs(project: Project, same_noise: bool, read: int) -> None:
    """The second of two, of batches of 7 and of 2 samples: it has 3 and 1 of them."""
    chosen, x = params.load().autoencoders["layered"], prepared.read("digits").samples("val")
    fit = fitting.Fit(chosen, x, x, 0)
    fit._trainer = SimpleNamespace(world_size=2, global_rank=1, current_epoch=0)
    fit.same_noise = same_noise
    parts = fit._read((torch.arange(7), torch.arange(7, 9)))
    assert [len(part) for part in parts] == [read, 2 if same_noise else 1]
    assert fit.weights_of_parts == [3 * 2 / 9, 1 * 2 / 9]
    if not same_noise:
        assert torch.equal(parts[0], x[1:7:2])
    of_validation = [len(batch) for batch in fit.val_dataloader()]
    assert sum(of_validation) == (len(x) if same_noise else len(x) - len(x) // 2)


@pytest.mark.parametrize(("same_noise", "n"), [(True, 2), (False, 0)])
def test_a_process_without_a_sample_of_a_batch_adds_nothing(
    project: Project, same_noise: bool, n: int
) -> None:
    """The last of four, of a validation batch of two samples: means over none are not numbers."""
    chosen, x = params.load().autoencoders["layered"], prepared.read("digits").samples("val")
    fit = fitting.Fit(chosen, x, x, 0)
    fit._trainer = SimpleNamespace(world_size=4, global_rank=3)
    fit.same_noise, fit.noises = same_noise, [torch.Generator()]
    assert fit._terms(x[:n] / 255, "val") == 0
    assert fit.sums == {}


def test_more_processes_than_samples_are_refused(project: Project) -> None:
    chosen, x = params.load().autoencoders["layered"], prepared.read("digits").samples("val")
    many = Processes(devices=8, num_nodes=4)
    with pytest.raises(UserError, match="num_nodes is 32, but a batch or split has 63 samples"):
        fitting.fit(chosen, x, x, seed=0, device="cpu", processes=many)


@pytest.mark.parametrize(
    ("ranks", "leads"),
    [
        ({}, True),
        ({"LOCAL_RANK": "1"}, False),
        ({"NODE_RANK": "1", "LOCAL_RANK": "0"}, False),
        ({"RANK": "2", "LOCAL_RANK": "0"}, False),
        ({"RANK": "0", "LOCAL_RANK": "0"}, True),
        ({"SLURM_PROCID": "3"}, False),
    ],
)
def test_one_process_leads(monkeypatch, ranks: dict[str, str], leads: bool) -> None:
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, rank in ranks.items():
        monkeypatch.setenv(name, rank)
    assert Processes(num_nodes=2).leads is leads
    assert Processes().leads, "alone, whatever job it is part of"
