"""scikit-learn's estimators of the package: `Autoencoder`, `Clustering` and `DeepClustering`.

    from narrows.sklearn import DeepClustering
    labels = DeepClustering("dec", n_clusters=10).fit_predict(x)

Networks learn from values in [0, 1]. Scaling is part of the estimators: each feature of a table X
(N, D) goes from its least to its largest value of the samples that are fitted; pictures, X
(N, H, W) or (N, C, H, W) of 1 or 3 channels, have one scale for all values, which for uint8 is 0 to
255. New values may lie beyond; they are not clipped. What comes back is in the units of X.

A plug-in is a name, "conv", or a mapping with its keys, {"name": "conv", "channels": [8, 16]}.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import Tags, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from narrows.api import rows
from narrows.api.clusters import Clusters, number, refine
from narrows.api.data import Data, picture_shape
from narrows.api.encoders import Fitted, fit
from narrows.api.rows import Words
from narrows.clustering.codes import fit_predict
from narrows.clustering.matching import NOISE
from narrows.clustering.saved import clusterer_verbs
from narrows.config.plugins import Plugin
from narrows.data.scaling import Scaling
from narrows.data.splits import NAMES
from narrows.data.unit import WHITE
from narrows.errors import UserError

__all__ = ["Autoencoder", "Clustering", "DeepClustering"]


class CodesMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """`transform` gives codes, float32 whatever the samples are."""

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class Autoencoder(CodesMixin, BaseEstimator):
    """An autoencoder: samples to codes of `code_size` numbers and back.

    Args:
        code_size: number of values in a code.
        kind: "plain", "variational" or "stacked", or a mapping with its own keys.
        network: "mlp", or "conv" for pictures.
        code_activation: after the encoder's last layer: "linear", "relu", "sigmoid", ...
        output_activation: after the decoder's last layer: "sigmoid" or "linear".
        loss: "bce", which needs a sigmoid, or "mse".
        corruption: of the samples that it sees and has to repair: "none", "gaussian", ...
        penalty: of the code: "none", "l1", "kl_sparsity" or "contractive".
        epochs: passes over the samples, at most.
        batch_size: samples per step.
        optimizer: "adam", "sgd", ..., or a mapping with its rate, {"name": "adam", "lr": 1e-3}.
        schedule: of the rate: "cosine", "plateau" or "none".
        patience: epochs without a better validation loss before it stops; None never stops early.
        validation_fraction: share of the samples that is held out for that, in (0, 1).
        sample_shape: (C, H, W) of pictures whose pixels are the columns of X (N, C * H * W).
        device: "auto", "cpu", "cuda" or "mps".
        random_state: seed of weights, batches, noise and the samples that are held out.

    Attributes:
        fitted_: a `narrows.api.encoders.Fitted`, with history, best_epoch and the torch module.
        scaling_: how samples come to [0, 1].
        sample_shape_: shape of one sample of X.
        n_features_in_: number of values of a sample.
    """

    def __init__(
        self,
        code_size: int = 32,
        *,
        kind: Words = "plain",
        network: Words = "mlp",
        code_activation: str = "linear",
        output_activation: str = "sigmoid",
        loss: str = "bce",
        corruption: Words = "none",
        penalty: Words = "none",
        epochs: int = 30,
        batch_size: int = 128,
        optimizer: Words = "adam",
        schedule: Words = "cosine",
        patience: int | None = 10,
        validation_fraction: float = 0.125,
        sample_shape: tuple[int, int, int] | None = None,
        device: str = "auto",
        random_state: Any = None,
    ):
        self.code_size = code_size
        self.kind = kind
        self.network = network
        self.code_activation = code_activation
        self.output_activation = output_activation
        self.loss = loss
        self.corruption = corruption
        self.penalty = penalty
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.schedule = schedule
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.sample_shape = sample_shape
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Autoencoder:
        """Trains on samples X, of which some are held out; y is ignored.

        Raises:
            ValueError: fewer than two samples, values that are not finite, or a parameter that is
                not known or out of range.
        """
        with value_errors():
            self._fit(X)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Codes (N, code_size), float32, of samples X like those of `fit`."""
        check_is_fitted(self)
        with value_errors():
            return self.fitted_.encode(self._samples(X))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Samples (N, ...), in the units and the shape of those of `fit`, of codes X (N, D)."""
        check_is_fitted(self)
        z = np.asarray(X, np.float32)
        if z.ndim != 2 or z.shape[1] != self._n_features_out:
            raise ValueError(f"codes should be (N, {self._n_features_out}), found {z.shape}")
        return self.fitted_.decode(z).reshape(len(z), *self.sample_shape_)

    def score_samples(self, X: Any) -> np.ndarray:
        """Minus the mean squared error (N,) of each sample's reconstruction, per value on the scale
        from 0 to 1: the lower, the odder is the sample."""
        check_is_fitted(self)
        with value_errors():
            return -self.fitted_.errors(self._samples(X))

    def score(self, X: Any, y: Any = None) -> float:
        """Mean of `score_samples`; y is ignored."""
        return float(self.score_samples(X).mean())

    @property
    def _n_features_out(self) -> int:
        return int(self.fitted_.row.config.code_size)

    def _row(self) -> Plugin:
        """The row of `autoencoders` that the parameters make."""
        kind = {"name": self.kind} if isinstance(self.kind, str) else dict(self.kind)
        train = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "patience": self.patience,
        }
        shared = ["code_size", "network", "code_activation", "output_activation"]
        shared += ["loss", "corruption", "penalty"]
        values = {name: getattr(self, name) for name in shared}
        return rows.plugin("autoencoders", {**values, **kind, "train": train})

    def _fit(self, X: Any) -> Data:
        """Trains, and returns the samples as they were trained on."""
        x = flat(self, X, reset=True)
        n, shape = len(x), shape_of(X)[1:]
        is_bytes = len(shape) > 1 and np.asarray(X).dtype == np.uint8
        stored = picture_shape(self.sample_shape or (shape if len(shape) > 1 else None), x.shape[1])
        samples = x.reshape(n, *(stored or shape))
        full = Scaling(np.asarray(0.0), np.asarray(float(WHITE)))
        self.scaling_ = full if is_bytes else Scaling.of(samples)
        if not 0 < self.validation_fraction < 1:
            raise UserError(f"validation_fraction: in (0, 1), found {self.validation_fraction!r}")
        seed = seed_of(self.random_state)
        held_out = min(max(1, round(self.validation_fraction * n)), n - 1)
        split = np.zeros(n, np.uint8)
        split[np.random.default_rng(seed).permutation(n)[:held_out]] = NAMES.index("val")
        data = Data("X", self.scaling_.to_unit(samples), split, "", scaling=self.scaling_)
        self.sample_shape_ = tuple(int(side) for side in shape)
        self.fitted_: Fitted = fit(self._row(), data, seed=seed, device=self.device)
        return data

    def _samples(self, X: Any) -> np.ndarray:
        """Samples X as the network takes them, in their own units."""
        return flat(self, X, reset=False).reshape(-1, *self.fitted_.input_shape)


def _has_memberships(estimator: Clustering) -> bool:
    try:
        return bool(rows.plugin("clusterers", estimator.clusterer).module.HAS_MEMBERSHIPS)
    except UserError:
        return False


class Clustering(ClusterMixin, BaseEstimator):
    """Clusters of points, of an autoencoder's codes for instance, by a clusterer of the package.

    Args:
        clusterer: "kmeans", "gmm", "umap_gmm", "hdbscan", "agglomerative", ..., or a mapping with
            its keys, {"name": "kmeans", "n_init": 5}.
        n_clusters: number of clusters; "auto" for the one of 2 to 30 that the points show best.
        random_state: seed.

    Attributes:
        labels_: clusters (N,) of the samples that were fitted; -1 is noise.
        n_clusters_: how many clusters these are, noise apart.
        recommended_: of "auto", a `narrows.store.choices.Recommendation`; None of a number.
        state_: what the clusterer has learned, arrays by name.
        n_features_in_: number D of features.
    """

    def __init__(
        self, clusterer: Words = "kmeans", n_clusters: int | str = 8, *, random_state: Any = None
    ):
        self.clusterer = clusterer
        self.n_clusters = n_clusters
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Clustering:
        """Clusters points X (N, D); y is ignored.

        Raises:
            ValueError: fewer points than clusters, values that are not finite, or a parameter that
                is not known or out of range; n_clusters is "auto", and the points show none.
        """
        z = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        everything, seed = np.full(len(z), True), seed_of(self.random_state)
        with value_errors():
            chosen = rows.plugin("clusterers", self.clusterer)
            k, self.recommended_ = number(self.n_clusters, lambda: z, seed, least=1)
            self.state_, labels = fit_predict(chosen, z, everything, k, seed)
        self.labels_ = labels.astype(np.int64)
        self.n_clusters_ = len({*self.labels_.tolist()} - {NOISE})
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Clusters (N,) of points X (N, D), -1 is noise."""
        return self._verb(0, X).astype(np.int64)

    @available_if(_has_memberships)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Memberships (N, K) of points X (N, D), of a clusterer that has any: "kmeans", "gmm"."""
        return self._verb(1, X)

    def _verb(self, place: int, X: Any) -> np.ndarray:
        check_is_fitted(self)
        z = validate_data(self, X, dtype=np.float64, reset=False)
        with value_errors():
            chosen = rows.plugin("clusterers", self.clusterer)
            return np.asarray(clusterer_verbs(chosen, self.state_)[place](z))


class DeepClustering(CodesMixin, ClusterMixin, BaseEstimator):
    """Clusters of samples, found while an autoencoder is refined with them.

    Args:
        method: "dec", "idec", "dcn", "self_label" or "vade", or a mapping with its keys,
            {"name": "dec", "max_updates": 4}.
        n_clusters: number of clusters; "auto" for the one of 2 to 30 that the codes show best.
        autoencoder: an `Autoencoder`, which is cloned and trained first; one with the usual values
            if not given. "vade" needs one of kind "variational".
        start: clusterer of the first clusters.
        augmentation: of the samples that are learned from: "none", "affine" for pictures, ...
        device: "auto", "cpu", "cuda" or "mps", of the refinement.
        random_state: seed of everything random; of the autoencoder, too, unless it has its own.

    Attributes:
        labels_: clusters (N,) of the samples that were fitted; -1 is noise.
        n_clusters_, recommended_: as of `Clustering`.
        autoencoder_: the trained autoencoder, as it was before the refinement.
        clusters_: a `narrows.api.clusters.Clusters`, with history and the refined encoder.
        n_features_in_: number of values of a sample.
    """

    def __init__(
        self,
        method: Words = "dec",
        n_clusters: int | str = 8,
        *,
        autoencoder: Autoencoder | None = None,
        start: Words = "kmeans",
        augmentation: Words = "none",
        device: str = "auto",
        random_state: Any = None,
    ):
        self.method = method
        self.n_clusters = n_clusters
        self.autoencoder = autoencoder
        self.start = start
        self.augmentation = augmentation
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> DeepClustering:
        """Trains the autoencoder on samples X, clusters its codes and refines both; y is ignored.

        Raises:
            ValueError: as `Autoencoder.fit` does, or the clusters collapsed: a lower rate of the
                method's optimizer helps, or {"name": method, "on_collapse": "start"}.
        """
        seed = seed_of(self.random_state)
        model = Autoencoder() if self.autoencoder is None else clone(self.autoencoder)
        if model.random_state is None:
            model.set_params(random_state=seed)
        flat(self, X, reset=True)
        row = {"method": self.method, "start": self.start, "augmentation": self.augmentation}
        with value_errors():
            data = model._fit(X)
            done = refine(
                row,
                model.fitted_,
                data,
                n_clusters=self.n_clusters,
                seed=seed,
                device=self.device,
            )
        self.autoencoder_, self.clusters_ = model, replace(done, data=None)
        self.labels_, self.recommended_ = done.clusters.astype(np.int64), done.recommended
        self.n_clusters_ = len({*self.labels_.tolist()} - {NOISE})
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Clusters (N,) of samples X like those of `fit`, -1 is noise."""
        clusters, samples = self._refined(X)
        with value_errors():
            return clusters.predict(samples).astype(np.int64)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Memberships (N, K) of samples X; of "dcn" a single 1 a row."""
        clusters, samples = self._refined(X)
        with value_errors():
            return clusters.memberships(samples)

    def transform(self, X: Any) -> np.ndarray:
        """Refined codes (N, code_size), float32, of samples X."""
        clusters, samples = self._refined(X)
        with value_errors():
            return clusters.encoder.encode(samples)

    @property
    def _n_features_out(self) -> int:
        return self.autoencoder_._n_features_out

    def _refined(self, X: Any) -> tuple[Clusters, np.ndarray]:
        check_is_fitted(self)
        x = flat(self, X, reset=False)
        return self.clusters_, x.reshape(-1, *self.autoencoder_.fitted_.input_shape)


def flat(estimator: BaseEstimator, X: Any, reset: bool) -> np.ndarray:
    """Samples X as rows (N, n_features_in_), checked as scikit-learn does: float64, pictures in
    float32."""
    least, shape = 2 if reset else 1, shape_of(X)
    if len(shape) <= 2:
        return validate_data(estimator, X, dtype=np.float64, ensure_min_samples=least, reset=reset)
    if not reset and shape[1:] != getattr(estimator, "sample_shape_", shape[1:]):
        raise ValueError(f"samples should be of shape {estimator.sample_shape_}, found {shape[1:]}")
    pictures = np.asarray(X, np.float32).reshape(shape[0], -1)
    return validate_data(estimator, pictures, ensure_min_samples=least, reset=reset)


def shape_of(X: Any) -> tuple[int, ...]:
    """Shape of what scikit-learn takes for an array: a frame, a sparse matrix, lists, ..."""
    shape = getattr(X, "shape", None)
    return tuple(np.asarray(X).shape if shape is None else shape)


def seed_of(random_state: Any) -> int:
    """A seed as the package takes it, of what scikit-learn takes."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


@contextmanager
def value_errors() -> Iterator[None]:
    """A user's mistake as the error that scikit-learn expects."""
    try:
        yield
    except UserError as error:
        raise ValueError(str(error)) from None
