"""Encoders and clusterings as the pipeline left them on disk, for samples that are new to them.

Only arrays, weights and words are read: no file of the artifacts can run code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.clustering.centres import means
from narrows.clustering.clusterers._base import Clusterer
from narrows.clustering.deep_clusterers._base import DeepClusterer
from narrows.clustering.state import State, hardened
from narrows.config import params
from narrows.config.plugins import Plugin
from narrows.data.repeats import first_equal
from narrows.data.unit import to_unit
from narrows.errors import UserError
from narrows.models.autoencoder import Autoencoder, decode_all, encode_all, restored
from narrows.models.baselines._base import Baseline
from narrows.store import clusterings, encoders
from narrows.store.clusterings import StoredClustering
from narrows.store.encoders import StoredEncoder

Encode = Callable[[Tensor], np.ndarray]  # samples (N, ...) as stored, to codes (N, D)
Decode = Callable[[np.ndarray], np.ndarray]  # codes (N, D) to samples (N, ...) in [0, 1]
Cluster = Callable[[np.ndarray], np.ndarray]  # codes (N, D) to clusters (N,), -1 is noise
Soft = Callable[[np.ndarray], np.ndarray]  # codes (N, D) to memberships (N, K)


@dataclass(frozen=True)
class Answer:
    """What a saved clustering says of N samples."""

    codes: np.ndarray
    """Codes (N, D), which the clusters are read off."""
    clusters: np.ndarray
    """Clusters (N,), -1 is noise."""
    soft: np.ndarray
    """Memberships (N, K): of a method without any a single 1 a row, and none for noise."""
    distances: np.ndarray
    """Euclidean distances (N,) from each code to the mean of its cluster's known codes; of noise to
    the nearest such mean."""
    errors: np.ndarray
    """Mean squared errors (N,) per value in [0, 1] of the reconstructions by the row's encoder, as
    it was before any refinement: a refined one may have lost its decoder."""


@dataclass(frozen=True)
class SavedEncoder:
    input_shape: tuple[int, ...]
    """Shape of one sample."""
    encode: Encode
    """Maps samples (N, ...) as stored to codes (N, D); of a row on disk, it raises `UserError` for
    samples of another shape, and so does `reconstruct`."""
    reconstruct: Callable[[Tensor], np.ndarray]
    """Maps samples (N, ...) as stored to reconstructions (N, ...) in [0, 1]."""

    def codes(self, x: np.ndarray) -> np.ndarray:
        """Codes (N, D) of samples x (N, ...), of the scale of data/<dataset>/x.npy; equal ones of
        equal samples.

        Raises:
            UserError: samples of another shape, or none.
        """
        samples = self._samples(x)
        return self.encode(samples)[first_equal(samples)]

    def errors(self, x: np.ndarray) -> np.ndarray:
        """Mean squared errors (N,) of the reconstructions, per value in [0, 1]; raises as `codes`
        does."""
        samples = self._samples(x)
        differences = self.reconstruct(samples) - to_unit(samples).numpy()
        errors: np.ndarray = np.square(differences).reshape(len(x), -1).mean(axis=1)
        return errors

    def _samples(self, x: np.ndarray) -> Tensor:
        _check_shape(x, self.input_shape)
        if len(x) == 0:
            raise UserError("there are no samples")
        return torch.from_numpy(np.require(x, requirements=["C", "W"]))


@dataclass(frozen=True)
class Saved(SavedEncoder):
    """A clustering with its encoder. Codes are those of the refined one, where it was refined;
    reconstructions those of the encoder as it was before, since a refined one may have lost its
    decoder."""

    cluster: Cluster
    """Maps codes (N, D) to clusters (N,), -1 is noise."""
    soft: Soft
    """Maps codes (N, D) to memberships (N, K)."""
    centres: np.ndarray
    """Means (K, D) of the known codes of each cluster; nan where a cluster has none."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Clusters (N,) of samples x (N, ...); raises as `codes` does."""
        return self.cluster(self.codes(x))

    def describe(self, x: np.ndarray, z: np.ndarray | None = None) -> Answer:
        """All that is known of samples x (N, ...); raises as `codes` does.

        Args:
            z: their codes (N, D), where they are known.
        """
        z = self.codes(x) if z is None else z
        clusters = self.cluster(z)
        if not len(self.centres):
            raise UserError("the clustering has no cluster, all is noise")
        far = np.linalg.norm(z[:, None] - self.centres, axis=2)  # (N, K)
        own = far[np.arange(len(z)), np.maximum(clusters, 0)]
        distances = np.where((clusters < 0) | np.isnan(own), np.nanmin(far, axis=1), own)
        return Answer(z, clusters, self.soft(z), distances, self.errors(x))


def load_encoder(artifacts: Path, key: str) -> SavedEncoder:
    """The encoder of a row of `baselines`, `autoencoders` or `searches`; raises as `load` does."""
    config, encode, decode = coder(encoders.folder(artifacts, key))
    return SavedEncoder(tuple(config["input_shape"]), encode, lambda x: decode(encode(x)))


def load(artifacts: Path, key: str) -> Saved:
    """The row `key` of `clusterings` or `deep_clusterings`, with its encoder.

    Args:
        artifacts: artifacts/<dataset>.

    Raises:
        UserError: a file is missing.
    """
    return of_stored(clusterings.open_clustering(artifacts, key))


def of_stored(stored: StoredClustering) -> Saved:
    """A clustering on disk, with its encoder; raises as `load` does."""
    row, encoder = stored.info["row"], stored.encoder
    config, encode, decode = coder(encoder.folder)
    shape = tuple(config["input_shape"])

    def reconstruct(x: Tensor) -> np.ndarray:
        return decode(encode(x))

    codes, clusters = stored.codes, stored.clusters
    if not stored.is_deep:
        clusterer = params.plugin("clusterers", row["clusterer"])
        cluster, soft = clusterer_verbs(clusterer, stored.state)
        centres = means(codes, clusters, int(clusters.max()) + 1)
        return Saved(shape, encode, reconstruct, cluster, soft, centres)
    learned, memberships = stored.learned, stored.soft
    assert memberships is not None
    refined, _ = model_verbs(model(config, learned["model"]))
    n_clusters = memberships.shape[1]  # the last of them may hold no known sample
    method = params.plugin("deep_clusterers", row["method"])
    start = params.plugin("clusterers", row["start"])
    cluster, soft = refined_verbs(method, start, stored.state, learned["parts"], n_clusters)
    centres = means(codes, clusters, n_clusters)
    return Saved(shape, _of_shape(shape, refined), reconstruct, cluster, soft, centres)


def coder(folder: Path) -> tuple[dict[str, Any], Encode, Decode]:
    """What config.json tells of a baseline or a trained encoder in `folder`, and its two ways, of
    which the first raises `UserError` for samples of another shape.

    Raises:
        UserError: a file is missing, or weights.pt holds more than weights.
    """
    stored = StoredEncoder(folder)
    shape = tuple(stored.config["input_shape"])
    if stored.is_baseline:
        row = params.plugin("baselines", stored.config["row"])
        encode, decode = baseline_verbs(row, stored.state, shape)
    else:
        encode, decode = model_verbs(model(stored.config, stored.weights))
    return stored.config, _of_shape(shape, encode), decode


def _of_shape(shape: tuple[int, ...], encode: Encode) -> Encode:
    """The same for samples of this shape alone: of others a baseline, which flattens them, would
    make numbers that mean nothing."""

    def checked(x: Tensor) -> np.ndarray:
        _check_shape(x, shape)
        return encode(x)

    return checked


def _check_shape(x: Tensor | np.ndarray, shape: tuple[int, ...]) -> None:
    if tuple(x.shape[1:]) != shape:
        raise UserError(f"samples are of shape {shape}, found {tuple(x.shape[1:])}")


def model(config: dict[str, Any], weights: dict[str, Tensor]) -> Autoencoder:
    """The autoencoder that config.json tells of."""
    row = params.plugin("autoencoders", config["row"])
    return restored(row, tuple(config["input_shape"]), weights)


def refined_verbs(
    method: Plugin, start: Plugin, state: State, parts: dict[str, Tensor], n_clusters: int
) -> tuple[Cluster, Soft]:
    """Clusters and memberships as the method's parts give them; where a clusterer's state is there,
    as that clusterer does: after a collapse, and for a method without memberships of its own.

    Args:
        method: of the family `deep_clusterers`.
        start: clusterer that gave the first clusters.
        state: what it has learned, empty where the parts say all.
        parts: what the method has learned beside the encoder, on the CPU.
    """
    module: DeepClusterer = method.module
    if state:
        names = state["names"]  # by the start's number, -1 where it has no name; the last is noise
        numbered, shares = clusterer_verbs(start, state)
        named = np.flatnonzero(names[:-1] >= 0)

        def renamed(z: np.ndarray) -> np.ndarray:
            memberships = np.zeros((len(z), n_clusters), np.float32)
            memberships[:, names[named]] = shares(z)[:, named]
            return memberships

        return lambda z: names[numbered(z)], renamed

    def soft(z: np.ndarray) -> np.ndarray:
        memberships = module.soft(method.config, parts, torch.from_numpy(z))
        assert memberships is not None, "a method without memberships saves a clusterer's state"
        return memberships.numpy()

    return lambda z: hardened(soft(z)), soft


def baseline_verbs(
    row: Plugin, state: Mapping[str, np.ndarray], shape: tuple[int, ...]
) -> tuple[Encode, Decode]:
    """The two ways of a baseline with what it has learned, for samples of this shape."""
    baseline: Baseline = row.module

    def encode(x: Tensor) -> np.ndarray:
        codes: np.ndarray = baseline.encode(state, to_unit(x).flatten(1).numpy())
        return codes.astype(np.float32, copy=False)  # as `encoders.write` does

    def decode(z: np.ndarray) -> np.ndarray:
        x_hat: np.ndarray = baseline.decode(state, z)
        return x_hat.reshape(len(z), *shape)

    return encode, decode


def model_verbs(model: Autoencoder) -> tuple[Encode, Decode]:
    """The two ways of an autoencoder, on its device."""
    return lambda x: encode_all(model, x), lambda z: decode_all(model, torch.from_numpy(z)).numpy()


def clusterer_verbs(clusterer: Plugin, state: State) -> tuple[Cluster, Soft]:
    """The two ways of a clusterer with what it has learned."""
    module: Clusterer = clusterer.module
    return lambda z: module.predict(state, z), lambda z: module.soft(state, z)
