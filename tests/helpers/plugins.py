"""Plug-ins with small settings, and small rows of them."""

from typing import Any

import pytest
import torch

from narrows.config import plugins
from narrows.config.plugins import Plugin

EXAMPLES: dict[str, dict[str, Any]] = {  # Config of what has keys without a default
    "networks.mlp": {"hidden": (7,)},
    "networks.conv": {"channels": (4, 6)},
    "corruptions.affine": {"rotation": 12.0, "shift": 0.1, "scale": 0.1},
    "corruptions.gaussian": {"std": 0.3},
    "corruptions.neighbour_mix": {"largest": 0.5},
    "corruptions.occlusion": {"shape": "cross", "fraction": 0.2},
    "corruptions.periodic": {"frequency": 2.0, "angle": 30.0, "amplitude": 0.3},
    "corruptions.salt_pepper": {"fraction": 0.3},
    "corruptions.speckle": {"std": 0.3},
    "penalties.contractive": {"weight": 0.1, "directions": None},
    "penalties.kl_sparsity": {"target": 0.05, "weight": 0.1},
    "penalties.l1": {"weight": 0.1},
    "autoencoders.stacked": {"layer_epochs": 1},
    "pretrained.onnx": {"path": "network.onnx"},
    "pretrained.open_clip": {"model": "ViT-B-32", "pretrained": "laion2b_s34b_b79k"},
    "pretrained.sentence_transformers": {"model": "all-MiniLM-L6-v2"},
    "pretrained.timm": {"model": "resnet18"},
    "pretrained.torchscript": {"path": "network.pt"},
    "pretrained.torchvision": {"model": "resnet18"},
    "baselines.pca": {"code_size": 3},
    "clusterers.agglomerative": {"linkage": "ward", "n_neighbors": 5},
    "clusterers.dbscan": {"eps": 5.0, "min_samples": 4},
    "clusterers.gmm": {"covariance": "full", "n_init": 2},
    "clusterers.hdbscan": {"min_cluster_size": 10, "min_samples": 2},
    "clusterers.kmeans": {"n_init": 2},
    "clusterers.minibatch_kmeans": {"batch_size": 32, "n_init": 3},
    "clusterers.spectral": {"n_neighbors": 5},
    "deep_clusterers.dcn": {"weight": 0.1},
    "clusterers.umap_hdbscan": {"min_cluster_size": 10, "min_samples": 2},
}
DEEP = {"batch_size": 32, "interval": 10, "max_updates": 2, "tolerance": 0.01}


def members(family: str) -> list[Any]:
    names = plugins.available(family)
    assert names, f"{family} is empty"
    return [pytest.param(family, name, id=f"{family}.{name}") for name in names]


def plugin(family: str, name: str) -> Plugin:
    options = EXAMPLES.get(f"{family}.{name}", {})
    if family == "deep_clusterers":
        options = {**DEEP, "optimizer": plugin("optimizers", "adam"), **options}
    return Plugin(family, name, plugins.load(family, name).Config(**options))


def row(
    kind: str = "plain", loss: str = "bce", code_activation: str = "linear", **parts: Plugin
) -> Plugin:
    """A small row of `autoencoders:`, with some of its plug-ins replaced."""
    base = plugins.load("autoencoders", "_base")
    train = base.Train(
        epochs=1,
        batch_size=4,
        optimizer=parts.pop("optimizer", plugin("optimizers", "adam")),
        schedule=parts.pop("schedule", plugin("schedules", "none")),
        patience=None,
    )
    chosen = {
        "network": plugin("networks", "mlp"),
        "corruption": plugin("corruptions", "none"),
        "penalty": plugin("penalties", "none"),
    } | parts
    config = plugins.load("autoencoders", kind).Config(
        code_size=3,
        code_activation=code_activation,
        output_activation="sigmoid",
        loss=loss,
        train=train,
        **chosen,
        **EXAMPLES.get(f"autoencoders.{kind}", {}),
    )
    return Plugin("autoencoders", kind, config)


def build(chosen: Plugin, shape: tuple[int, ...]) -> Any:
    from narrows.models.autoencoder import Autoencoder

    torch.manual_seed(0)
    return Autoencoder(chosen, shape)
