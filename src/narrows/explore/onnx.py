"""A trained encoder as an ONNX file, for programs without torch. Needs the extra `onnx`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from narrows.clustering import saved
from narrows.data.unit import to_unit
from narrows.errors import UserError
from narrows.models.autoencoder import Autoencoder, encode_all
from narrows.store import clusterings, encoders
from narrows.store.clusterings import StoredClustering
from narrows.store.encoders import StoredEncoder

NEEDED = ("onnx", "onnxruntime", "onnxscript")
OPSET = 18
TOLERANCE = 1e-4  # of the largest code; both compute in float32, in another order


class EncoderOnly(nn.Module):
    """Samples (B, ...) in [0, 1] to codes (B, D)."""

    def __init__(self, model: Autoencoder):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model.encode(x)


def trained_encoder(artifacts: Path, key: str) -> Autoencoder:
    """The encoder of a row of `autoencoders` or `searches`, or one that a deep clustering refined.

    Args:
        artifacts: artifacts/<dataset>.

    Raises:
        UserError: there is no such trained row.
    """
    clustering = StoredClustering(clusterings.folder(artifacts, key))
    if clustering.folder.exists() and clustering.is_deep:
        return saved.model(clustering.encoder.config, clustering.learned["model"])
    encoder = StoredEncoder(encoders.folder(artifacts, key))
    if not encoder.folder.exists() or encoder.is_baseline:
        raise UserError(f"{encoder.folder}: {key} is no trained row, or not trained yet")
    return saved.model(encoder.config, encoder.weights)


def export(model: Autoencoder, input_shape: tuple[int, ...], file: Path) -> None:
    """Writes the encoder: input `x` (batch, ...) float32 in [0, 1], output `code` (batch, D).

    Raises:
        UserError: a package of the extra is missing.
    """
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise UserError(f"{', '.join(missing)} not installed; pip install 'narrows[onnx]'")
    program = torch.onnx.export(
        EncoderOnly(model).eval(),
        (torch.zeros(2, *input_shape),),
        dynamo=True,
        opset_version=OPSET,
        input_names=["x"],
        output_names=["code"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    assert program is not None  # with dynamo it never is
    program.save(file)


def difference(model: Autoencoder, file: Path, x: np.ndarray) -> float:
    """Largest difference between the codes of both, relative to the largest code.

    Args:
        x: samples (N, ...) as stored.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    samples = torch.from_numpy(np.array(x))
    (exported,) = session.run(["code"], {"x": to_unit(samples).numpy()})
    codes = encode_all(model, samples)
    return float(np.abs(exported - codes).max() / np.abs(codes).max())
