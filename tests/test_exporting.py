"""ONNX files encode as torch does, for every kind of autoencoder and both networks."""

from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.project import row
from narrows.config import params
from narrows.errors import UserError
from narrows.explore import onnx
from narrows.models.autoencoder import Autoencoder

MLP = {"name": "mlp", "hidden": [12]}
CONV = {"name": "conv", "channels": [4]}


@pytest.mark.parametrize(
    ("kind", "network"),
    [("plain", MLP), ("plain", CONV), ("variational", MLP), ("stacked", MLP)],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_codes_are_those_of_torch(kind: str, network: dict, tmp_path: Path) -> None:
    torch.manual_seed(0)
    settings = {**row(), "name": kind, "network": network}
    settings |= {"code_activation": "linear"} if kind == "variational" else {}
    settings |= {"layer_epochs": 1} if kind == "stacked" else {}
    model = Autoencoder(params.plugin("autoencoders", settings), (1, 8, 8)).eval()
    onnx.export(model, (1, 8, 8), tmp_path / "encoder.onnx")
    x = np.random.default_rng(0).integers(0, 256, (37, 1, 8, 8), dtype=np.uint8)
    assert onnx.difference(model, tmp_path / "encoder.onnx", x) < 1e-5
    with torch.no_grad():  # a difference would be seen
        next(model.parameters()).mul_(1.01)
    assert onnx.difference(model, tmp_path / "encoder.onnx", x) > 1e-4


def test_a_missing_row_or_package_is_told(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(UserError, match="deep is no trained row, or not trained yet"):
        onnx.trained_encoder(tmp_path, "deep")
    model = Autoencoder(params.plugin("autoencoders", row()), (1, 8, 8))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'narrows\[onnx\]'"):
        onnx.export(model, (1, 8, 8), tmp_path / "encoder.onnx")
