"""Rows for the functions of `import narrows`: those of a params.yaml, or a word, or a mapping.

A row of params.yaml says every key. Here a word stands for a plug-in with its usual keys, a mapping
says only what differs, and both are checked as params.yaml is.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from narrows.config import params, plugins
from narrows.config.params import Params
from narrows.config.plugins import Plugin, config
from narrows.config.sections import Clustering, DeepClustering
from narrows.errors import UserError

Words = str | Mapping[str, Any]
"""A plug-in's name, or a mapping with `name` and the keys that differ from the usual ones."""

ROW: dict[str, Any] = {
    "network": "mlp",
    "code_size": 32,
    "code_activation": "linear",
    "output_activation": "sigmoid",
    "loss": "bce",
    "corruption": "none",
    "penalty": "none",
    "train": {},
}
TRAIN = {
    "epochs": 30,
    "batch_size": 128,
    "optimizer": "adam",
    "schedule": "cosine",
    "patience": 10,
}
LOOP = {
    "batch_size": 256,
    "optimizer": "adam",
    "interval": 60,
    "max_updates": 8,
    "tolerance": 0.001,
}
MOMENTUM = {"name": "sgd", "lr": 0.01, "momentum": 0.9}
USUAL: dict[str, dict[str, dict[str, Any]]] = {
    "autoencoders": {"plain": ROW, "variational": ROW, "stacked": {**ROW, "layer_epochs": 6}},
    "baselines": {"pca": {"code_size": 0.9}},
    "networks": {"mlp": {"hidden": [128]}, "conv": {"channels": [16, 32], "batch_norm": True}},
    "corruptions": {
        "affine": {"rotation": 12.0, "shift": 0.1, "scale": 0.1},
        "gaussian": {"std": 0.5},
        "neighbour_mix": {"largest": 0.5},
        "occlusion": {"shape": "cross", "fraction": 0.1},
        "periodic": {"frequency": 6.0, "angle": 30.0, "amplitude": 0.5},
        "salt_pepper": {"fraction": 0.3},
        "speckle": {"std": 0.5},
    },
    "penalties": {
        "contractive": {"weight": 1e-2, "directions": 4},
        "kl_sparsity": {"target": 0.05, "weight": 1e-2},
        "l1": {"weight": 1e-5},
    },
    "clusterers": {
        "agglomerative": {"linkage": "ward", "n_neighbors": 10},
        "dbscan": {"eps": None, "min_samples": 5},
        "gmm": {"covariance": "diag", "n_init": 5},
        "hdbscan": {"min_cluster_size": 15, "min_samples": 5},
        "kmeans": {"n_init": 20},
        "minibatch_kmeans": {"batch_size": 1024, "n_init": 20},
        "spectral": {"n_neighbors": 10},
        "umap_hdbscan": {"min_cluster_size": 15, "min_samples": 5},
    },
    "deep_clusterers": {
        "dcn": {**LOOP, "interval": 20, "weight": 0.05},
        "dec": {**LOOP, "optimizer": MOMENTUM},
        "idec": LOOP,
        "self_label": {
            **LOOP,
            "batch_size": 128,
            "interval": 400,
            "max_updates": 2,
            "anneal": True,
        },
        "vade": LOOP,
    },
}
"""Values of the keys without a default, by family and name; a key that is said here wins."""


@dataclass(frozen=True)
class Context:
    """What params.yaml says elsewhere of a clustering."""

    encoder: Plugin | None = None
    """Row of its encoder; None where that is a search, or not known."""
    encoder_key: str = ""
    """Key of its encoder."""
    n_clusters: int | str | None = None
    """Number of clusters, or "auto"; None where nothing is said."""
    cluster_on: str = "all"
    """Split that clusterers learn from, or "all"."""


@config
class PlacedClustering(Clustering):
    """A row of `clusterings` with what it refers to."""

    context: Any
    """A `Context`."""


@config
class PlacedDeepClustering(DeepClustering):
    """A row of `deep_clusterings` with what it refers to."""

    context: Any
    """A `Context`."""


def load_params(path: str | Path = "params.yaml") -> Params:
    """A params.yaml, typed and checked: `p.autoencoders["conv"]` is a row for `fit`.

    No function of this package needs one: `fit({"code_size": 10}, data)` is a row, too.

    Args:
        path: the file; that of this folder if not given.

    Returns:
        All sections as attributes. Rows of `clusterings` and `deep_clusterings` know their encoder
        and n_clusters, so that `cluster(p.clusterings["pca-kmeans"], data)` is enough.

    Raises:
        UserError: one sentence with the file, the key, what was found, what is accepted.
    """
    p = params.load(Path(path))
    encoders = {**p.baselines, **p.autoencoders}

    def placed(cls: Any, row: Any) -> Any:
        context = Context(encoders.get(row.encoder), row.encoder, p.n_clusters, p.cluster_on)
        values = {f.name: getattr(row, f.name) for f in dataclasses.fields(row)}
        return cls(**values, context=context)

    return dataclasses.replace(
        p,
        clusterings={k: placed(PlacedClustering, row) for k, row in p.clusterings.items()},
        deep_clusterings={
            k: placed(PlacedDeepClustering, row) for k, row in p.deep_clusterings.items()
        },
    )


def plugin(family: str, value: Plugin | Words) -> Plugin:
    """A plug-in of a family, from a word or a mapping; raises `UserError` as `load_params` does.

    >>> plugin("clusterers", "kmeans").config.n_init
    20
    >>> plugin("autoencoders", {"name": "plain", "train": {"epochs": 5}}).config.train.batch_size
    128
    """
    if isinstance(value, Plugin):
        if value.family != family:
            raise UserError(f"{value.name} is of the family {value.family}, not of {family}")
        return value
    return params.plugin(family, _filled(family, value))


def encoder_row(row: Plugin | Words) -> Plugin:
    """A row of `autoencoders` or `baselines`; a mapping without a name is a plain autoencoder."""
    if isinstance(row, Plugin):
        return plugin("baselines" if row.family == "baselines" else "autoencoders", row)
    mapping = {"name": row} if isinstance(row, str) else {"name": "plain", **row}
    is_baseline = plugins.is_available("baselines", str(mapping["name"]))
    return plugin("baselines" if is_baseline else "autoencoders", mapping)


def clustering_row(row: Clustering | Plugin | Words) -> tuple[Plugin, Context]:
    """The clusterer of a row, and what is said of it elsewhere."""
    if isinstance(row, Clustering):
        return row.clusterer, context_of(row)
    return plugin("clusterers", row), Context()


def deep_row(row: DeepClustering | Plugin | Words) -> tuple[DeepClustering, Context]:
    """A row of `deep_clusterings`, and what is said of it elsewhere.

    A word, or a mapping with a name, is a method from K-means on without augmentation; a mapping
    without a name has the keys `method`, `start` and `augmentation`.

    Raises:
        UserError: a row with teachers, whose clusters only the pipeline has; or an unknown key.
    """
    if isinstance(row, DeepClustering):
        if row.teachers:
            raise UserError("teachers: only `dvc repro deep_cluster` has their clusters")
        return row, context_of(row)
    parts: dict[str, Any] = {"method": row}
    if isinstance(row, Mapping) and "name" not in row:
        parts = dict(row)
    families = {"method": "deep_clusterers", "start": "clusterers", "augmentation": "corruptions"}
    if unknown := sorted(parts.keys() - families):
        raise UserError(f"{unknown[0]!r} is not known; accepted are {', '.join(families)}")
    parts = {"method": "dec", "start": "kmeans", "augmentation": "none", **parts}
    chosen: dict[str, Any] = {key: plugin(family, parts[key]) for key, family in families.items()}
    return DeepClustering(encoder="", **chosen), Context()


def context_of(row: Clustering | DeepClustering) -> Context:
    """What params.yaml says elsewhere of a row; nothing where it is none of `load_params`."""
    if isinstance(row, PlacedClustering | PlacedDeepClustering):
        context: Context = row.context
        return context
    return Context()


def with_epochs(row: Plugin, epochs: int | None) -> Plugin:
    """The same row of `autoencoders` with another number of epochs; None leaves it alone."""
    if epochs is None:
        return row
    mapping = plugins.resolved(row)
    return params.plugin(
        "autoencoders", {**mapping, "train": {**mapping["train"], "epochs": epochs}}
    )


def _filled(family: str, value: Any) -> Any:
    """A word or a mapping as params.yaml holds it, with the usual values of keys that it lacks."""
    if isinstance(value, Plugin):
        return plugins.resolved(value)
    if not isinstance(value, str | Mapping):
        return value  # `params` says what is wrong with it
    mapping = {"name": value} if isinstance(value, str) else dict(value)
    name = mapping.get("name")
    if not (isinstance(name, str) and plugins.is_available(family, name)):
        return mapping
    filled = {**USUAL.get(family, {}).get(name, {}), **mapping}
    return _fields(plugins.load(family, name).Config, filled)


def _fields(cls: Any, mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with what its fields name filled in as well."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {key: _field(hints.get(key), value) for key, value in mapping.items()}


def _field(hint: Any, value: Any) -> Any:
    if typing.get_origin(hint) is Annotated and typing.get_args(hint)[0] is Plugin:
        return _filled(typing.get_args(hint)[1], value)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):  # `train`
        return _fields(hint, {**TRAIN, **value})
    return value.item() if isinstance(value, np.generic) else value
