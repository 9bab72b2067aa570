"""The claims of benchmarks/textbook.py are measured on all of MNIST by hand; here they only run."""

import dataclasses
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from narrows.config.plugins import Plugin
from narrows.training import fitting

ROOT = Path(__file__).parent.parent


@pytest.fixture
def textbook(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Every training takes one epoch."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    module = importlib.import_module("textbook")

    def fit(chosen: Plugin, data: Any, seed: int) -> fitting.Fitted:
        cfg = chosen.config
        short = {"train": dataclasses.replace(cfg.train, epochs=1, batch_size=20)}
        short |= {"layer_epochs": 1} if chosen.name == "stacked" else {}
        chosen = dataclasses.replace(chosen, config=dataclasses.replace(cfg, **short))
        model: fitting.Fitted = fitted(chosen, data, seed)
        return model

    fitted = module.fit
    monkeypatch.setattr(module, "fit", fit)
    return module


NAMES = ("linear", "sparse", "denoising", "repair", "contractive", "variational", "binarised")


@pytest.mark.parametrize("name", [*NAMES, "stacked"])
def test_a_claim_runs(textbook: Any, name: str) -> None:
    assert {*NAMES, "stacked"} == set(textbook.CLAIMS)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 1, 28, 28), dtype=np.uint8)
    x = torch.from_numpy(pixels)
    data = textbook.Data(x[:40], x[40:], textbook.to_unit(x[40:]))
    claim = textbook.CLAIMS[name](data, seed=1)  # pictures are of seed 0
    assert any(letter.isdigit() for letter in claim.message)
    assert "nan" not in claim.message
