"""What the pipeline has finished in this folder, opened for new samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from narrows.api.clusters import Clusters
from narrows.api.data import Data, opened
from narrows.api.encoders import Fitted
from narrows.config import params
from narrows.config.params import Params
from narrows.config.sections import SAMPLES
from narrows.errors import UserError
from narrows.models.devices import device_named
from narrows.store import clusterings, encoders
from narrows.store.encoders import StoredEncoder


def open(key: str, *, device: str = "cpu") -> Fitted | Clusters:
    """A finished row of this folder's params.yaml, as `dvc repro` has left it.

    Args:
        key: of a row of clusterings or deep_clusterings, or of an encoder: a row of baselines,
            autoencoders or searches.
        device: where it computes: auto, cpu, cuda or mps.

    Returns:
        `Clusters` of a clustering, with predict, memberships and describe; `Fitted` of an encoder,
        with encode, decode and reconstruct.

    Raises:
        UserError: there is no such row, it has not been computed yet, its files are damaged, or it
            was made from other data than data/ holds now.
    """
    p = params.load()
    methods = {**p.clusterings, **p.deep_clusterings}
    coders = {**p.baselines, **p.autoencoders, **p.searches}
    params.select({**methods, **coders}, key, "params.yaml")
    artifacts, on = Path("artifacts", p.dataset.name), device_named(device).type
    if key in coders:
        return _fitted(StoredEncoder(encoders.folder(artifacts, key)), on)
    return _clusters(p, artifacts, key, on)


def _fitted(stored: StoredEncoder, device: str) -> Fitted:
    """An encoder as it was stored."""
    config = stored.config
    shape = tuple(config["input_shape"])
    family = "baselines" if stored.is_baseline else "autoencoders"
    return Fitted(
        params.plugin(family, config["row"]),
        shape,
        "uint8" if len(shape) == 3 else "float32",
        None,
        stored.state if stored.is_baseline else stored.weights,
        device,
        best_epoch=stored.train["best_epoch"],
        seconds=stored.train["seconds"],
    )


def _clusters(p: Params, artifacts: Path, key: str, device: str) -> Clusters:
    """A clustering as it was stored, with its encoder and the data that it was made from."""
    stored = clusterings.open_clustering(artifacts, key, key in p.deep_clusterings)
    row = stored.info["row"]
    data = opened(p.dataset.name, stored.encoder.config.get("input", SAMPLES))
    _check_same(key, stored.encoder, data)
    start = _fitted(stored.encoder, device)
    clusters = stored.clusters.astype(np.int64)
    if not stored.is_deep:
        return Clusters(
            clusters,
            stored.codes,
            encoder=start,
            start=start,
            clusterer=params.plugin("clusterers", row["clusterer"]),
            state=stored.state,
            data=data,
            n_clusters=int(clusters.max()) + 1,
            seconds=stored.info["seconds"],
        )
    learned, soft = stored.learned, stored.soft
    assert soft is not None
    return Clusters(
        clusters,
        stored.codes,
        encoder=Fitted(start.row, start.input_shape, start.dtype, None, learned["model"], device),
        start=start,
        clusterer=params.plugin("clusterers", row["start"]),
        state=stored.state,
        data=data,
        method=params.plugin("deep_clusterers", row["method"]),
        parts=learned["parts"],
        n_clusters=soft.shape[1],
        fell_back=stored.info["fell_back"],
        seconds=stored.info["seconds"],
    )


def _check_same(key: str, encoder: StoredEncoder, data: Data) -> None:
    if encoder.config["data_digest"] != data.digest:
        raise UserError(
            f"{key} was made from other data than data/{data.name} holds now; run `dvc repro`"
        )
