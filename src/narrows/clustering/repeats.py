"""A clustering made again under another seed, from the encoder's first weight on."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from narrows.clustering import refine, saved
from narrows.clustering.job import Job
from narrows.clustering.state import hardened
from narrows.config.params import Params
from narrows.data import splits
from narrows.data.prepared import Prepared
from narrows.models import encoding
from narrows.models.autoencoder import Autoencoder, encode_all, restored
from narrows.training import fitting


@dataclass(frozen=True)
class Encoder:
    codes: np.ndarray
    """(N, D) of all samples."""
    model: Autoencoder | None
    """None for a baseline."""
    seconds: float


def encoder(p: Params, key: str, seed: int, data: Prepared, work: Path) -> Encoder:
    """A row of `baselines` or `autoencoders`, fitted; the splits stay those of `p.seed`."""
    began = time.perf_counter()
    if key in p.baselines:
        _, codes = encoding.of_baseline(p.baselines[key], data, seed)
        return Encoder(codes.astype(np.float32), None, time.perf_counter() - began)
    train, val = data.rows("train"), data.rows("val")
    fitted = fitting.fit(p.autoencoders[key], train, val, seed, p.device, work, fitting.quiet)
    model = fitted.model.cpu()
    return Encoder(encode_all(model, data.all()), model, fitted.seconds)


def trained(p: Params, key: str, seed: int, data: Prepared, made: Path) -> Encoder:
    """The same row as stage `seed_encoders` has trained it and left it in the folder `made`."""
    weights = saved.weights(made / f"{seed}.pt")
    model = restored(p.autoencoders[key], data.x.shape[1:], weights)
    seconds = json.loads((made / "seeds.json").read_text())["seconds"]
    return Encoder(encode_all(model, data.all()), model, seconds)


def clusters(
    p: Params,
    key: str,
    n_clusters: int,
    found: Encoder,
    seed: int,
    data: Prepared,
    work: Path,
) -> tuple[np.ndarray, float]:
    """Clusters (N,) of a row of `clusterings` or `deep_clusterings`, and the seconds they took.

    The encoder is left as it was, for the next row.
    """
    fitted = splits.fitted(data.split, p.cluster_on)
    began = time.perf_counter()
    if key in p.clusterings:
        chosen = p.clusterings[key].clusterer
        state = chosen.module.fit(chosen.config, found.codes[fitted], n_clusters, seed)
        return chosen.module.predict(state, found.codes), time.perf_counter() - began
    row = p.deep_clusterings[key]
    assert found.model is not None
    weights = found.model.state_dict()
    job = Job(
        x=data.all(),
        fitted=fitted,
        model=restored(p.autoencoders[row.encoder], data.x.shape[1:], weights),
        start=row.start,
        n_clusters=n_clusters,
        augmentation=row.augmentation,
        seed=seed,
        device=p.device,
        work=work,
    )
    refined = refine.refine(row.method, job)
    return hardened(refined.soft), time.perf_counter() - began
