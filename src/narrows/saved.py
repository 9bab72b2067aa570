"""A clustering as the pipeline left it on disk, for samples that it has never seen.

Only arrays, weights and words are read: no file of the artifacts can run code.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows import params, start
from narrows.errors import UserError
from narrows.model import encode_all, restored, to_unit

Encode = Callable[[Tensor], np.ndarray]  # samples (N, ...) as stored, to codes (N, D)
Cluster = Callable[[np.ndarray], np.ndarray]  # codes (N, D) to clusters (N,), -1 is noise


@dataclass(frozen=True)
class Saved:
    input_shape: tuple[int, ...]
    """Of one sample."""
    encode: Encode
    cluster: Cluster

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Clusters (N,) of samples x (N, ...), of the scale of data/<dataset>/x.npy.

        Raises:
            UserError: samples of another shape.
        """
        if x.shape[1:] != self.input_shape:
            raise UserError(f"samples are of shape {self.input_shape}, found {x.shape[1:]}")
        return self.cluster(self.encode(torch.from_numpy(np.ascontiguousarray(x))))


def load(artifacts: Path, key: str) -> Saved:
    """The row `key` of `clusterings` or `deep_clusterings`, with its encoder.

    Args:
        artifacts: artifacts/<dataset>.

    Raises:
        UserError: a file is missing.
    """
    folder = artifacts / "clusterings" / key
    row = _json(folder / "cluster.json")["row"]
    encoder = artifacts / "encoders" / row["encoder"]
    config = _json(encoder / "config.json")
    shape = tuple(config["input_shape"])
    state, _ = start.remembered(_existing(folder / "clusters.npz"))
    if "clusterer" in row:
        encode = (_baseline if config["kind"] == "baseline" else _trained)(encoder, config)
        return Saved(shape, encode, _clusterer(row["clusterer"], state))
    weights = _weights(folder / "weights.pt")
    encode = _model(config, weights["model"])
    method = params.plugin("deep_clusterers", row["method"])
    if not hasattr(method.module, "soft"):
        numbered = _clusterer(row["start"], state)
        return Saved(shape, encode, lambda z: state["names"][numbered(z)])

    def cluster(z: np.ndarray) -> np.ndarray:
        soft = method.module.soft(method.config, weights["parts"], torch.from_numpy(z))
        return start.hardened(soft.numpy())

    return Saved(shape, encode, cluster)


def _baseline(folder: Path, config: dict[str, Any]) -> Encode:
    row = params.plugin("baselines", config["row"])
    with np.load(_existing(folder / "state.npz"), allow_pickle=False) as arrays:
        state = dict(arrays)

    def encode(x: Tensor) -> np.ndarray:
        codes: np.ndarray = row.module.encode(state, to_unit(x).flatten(1).numpy())
        return codes.astype(np.float32, copy=False)  # as `encoding.save` does

    return encode


def _trained(folder: Path, config: dict[str, Any]) -> Encode:
    return _model(config, _weights(folder / "weights.pt"))


def _model(config: dict[str, Any], weights: dict[str, Tensor]) -> Encode:
    row = params.plugin("autoencoders", config["row"])
    model = restored(row, tuple(config["input_shape"]), weights)
    return lambda x: encode_all(model, x)


def _clusterer(row: dict[str, Any], state: start.State) -> Cluster:
    clusterer = params.plugin("clusterers", row).module
    return lambda z: clusterer.predict(state, z)


def _weights(file: Path) -> dict[str, Any]:
    weights: dict[str, Any] = torch.load(_existing(file), weights_only=True, map_location="cpu")
    return weights


def _json(file: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(_existing(file).read_text(encoding="utf-8"))
    return told


def _existing(file: Path) -> Path:
    if not file.exists():
        raise UserError(f"{file} is missing; run `dvc repro`")
    return file
