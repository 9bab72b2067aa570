"""What earlier stages leave for `report`, on 20 samples, and the stage itself in their folder."""

import csv
import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from narrows import tracking
from narrows.config import params
from narrows.config.params import Params
from narrows.store import choices, clusterings, encoders, evaluations, rows
from narrows.store.choices import ChosenK, Recommendation
from narrows.tracking import models

# 20 rows: 10 train, 5 val, 5 test. Rows 0-9 are train.
SPLIT = np.repeat(np.array([0, 1, 2], np.uint8), [10, 5, 5])
LABELS = np.array([0] * 5 + [1] * 5 + [0, 0, 0, 1, 1] + [0, 0, 0, 1, 1])
# Train matches cluster 1 to label 0 and cluster 0 to label 1; 4 of 5 test rows agree.
SWAPPED = np.array([1] * 5 + [0] * 5 + [1, 1, 1, 0, 0] + [1, 1, 0, 0, 0])
NOISY = np.where(np.arange(20) % 5 == 4, -1, SWAPPED)  # one test row in five is noise
ONE = np.zeros(20, int)
CLUSTERINGS = {"good": SWAPPED, "noisy": NOISY, "one": ONE}
SEEDS = {0: ONE, 3: SWAPPED, 7: SWAPPED}  # 7 is the seed of the rows themselves
KMEANS = {"name": "kmeans", "n_init": 1}
DEEP = {
    "name": "variational",
    "network": {"name": "mlp", "hidden": [8], "activation": "relu"},
    "code_size": 3,
    "code_activation": "linear",
    "output_activation": "sigmoid",
    "loss": "bce",
    "corruption": {"name": "none"},
    "penalty": {"name": "none"},
    "train": {
        "epochs": 2,
        "batch_size": 5,
        "optimizer": {"name": "adam", "lr": 0.1},
        "schedule": {"name": "none"},
        "patience": None,
    },
}
PARAMS: dict[str, Any] = {
    "seed": 7,
    "device": "cpu",
    "devices": 1,
    "num_nodes": 1,
    "dataset": {"name": "digits"},  # renamed to toy: there is no such plug-in
    "prepare": {"test_fraction": 0.25, "val_fraction": 0.25},
    "n_clusters": 2,
    "baselines": {"plain-x": {"name": "pca", "code_size": 3}},
    "autoencoders": {"deep": {**DEEP, "log_model": True}},
    "searches": {},
    "evaluate": {"corruptions": {}, "map_rows": 10, "nll_draws": 1},
    "choose_k": {"encoder": "deep", "largest": 3},
    "cluster_on": "all",
    "clusterings": {
        "good": {"encoder": "deep", "clusterer": KMEANS, "log_model": True},
        "noisy": {"encoder": "deep", "clusterer": KMEANS},
        "one": {"encoder": "plain-x", "clusterer": KMEANS},
    },
    "deep_clusterings": {
        "refined": {
            "encoder": "deep",
            "start": KMEANS,
            "augmentation": {"name": "none"},
            "method": {
                "name": "dec",
                "batch_size": 5,
                "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.0},
                "interval": 1,
                "max_updates": 1,
                "tolerance": 0.001,
            },
        }
    },
    "seeds": {"values": list(SEEDS), "rows": ["good"], "together": False},
}


def write_encoder(folder: Path, x: np.ndarray, is_baseline: bool) -> None:
    """The folders of encoder and evaluation; the one that is no baseline is variational."""
    folder.mkdir(parents=True)
    samples = {"x": x[:4] / 255, "noisy": x[:4] / 255, "reconstruction": x[:4] / 300}
    scores = {"mse": 0.0123456789, "bce": 0.25, "psnr": 19.0848501}
    scores |= {"ssim": None if x.ndim == 2 else 0.75}
    exact = {"mse": 0.0, "bce": None, "psnr": None, "ssim": 1.0}
    train = {
        "seed": 7,
        "code_size": 3,
        "n_parameters": 1234,
        "epochs_run": 0 if is_baseline else 2,
        "best_epoch": 0 if is_baseline else 2,
        "seconds": 1.5,
        "splits": dict.fromkeys(("train", "val", "test"), exact if is_baseline else scores),
    }
    kind = "baseline" if is_baseline else "autoencoder"
    config = {"kind": kind, "data_digest": "d" * 64}
    encoders.write(folder, config, codes(x), as_floats(samples), train)
    name_run(folder)
    if not is_baseline:
        first = {"epoch": 1, "train/loss": 3, "val/loss": 4, "lr": 0.1}
        history = [first, {"epoch": 2, "train/loss": 2, "val/loss": 3, "lr": 0.1}]
        encoders.write_trained(folder, {}, history, [])
    write_evaluation(folder.parents[1] / "evaluations/encoders" / folder.name, x / 255, is_baseline)


def write_evaluation(folder: Path, x: np.ndarray, is_baseline: bool) -> None:
    """Maps of every second row; a table has no filters and no bar can hide a part of it."""
    folder.mkdir(parents=True)
    code = {"mean": 5.25, "zeros_fraction": 0.125, "active_units": 2.5, "dead_units": 1}
    box = {} if x.ndim == 2 else {"box": {"psnr_in": 15.0, "psnr_out": 16.5}}
    robustness = {"clean": {"psnr_in": None, "psnr_out": None if is_baseline else 20.0}, **box}
    bound = {"elbo": -101.25, "reconstruction": -90.0, "kl": 11.25, "kl_per_unit": [1.25, 10, 0]}
    scores = {
        "code": code | {"jacobian_norm": None if is_baseline else 3.5},
        "robustness": robustness,
        "variational": None if is_baseline else {**bound, "active_units": 2, "nll": 99.5},
    }
    write_maps(folder)
    pairs = np.stack([x[:8]] * len(robustness))
    pictures = {"corrupted": pairs, "restored": pairs, "interpolations": x[None, :5]}
    if not is_baseline:
        pictures |= {"samples": x[:9], "traversal": x[:6].reshape(2, 3, *x.shape[1:])}
        pictures |= {} if x.ndim == 2 else {"filters": x[:4, :, :3, :3]}
    evaluations.write_scores(folder, scores, as_floats(pictures))


def write_maps(folder: Path) -> None:
    points = np.arange(20, dtype=np.float32).reshape(10, 2)
    maps = {"rows": np.arange(0, 20, 2), "pca": points, "umap": points[::-1]}
    evaluations.write_maps(folder, maps)


def codes(x: np.ndarray) -> np.ndarray:
    return x.reshape(20, -1)[:, :3].astype(np.float32)


def as_floats(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def write_deep_clustering(folder: Path, x: np.ndarray) -> None:
    """All in one cluster at first, right at the end."""
    folder.mkdir(parents=True)
    assignments = np.stack([ONE, SWAPPED]).astype(np.int16)
    first = {"update": 0, "label_change": 0, "largest_share": 1, "effective_clusters": 1}
    second = {"update": 1, "clustering": 0.5, "label_change": 0.5, "largest_share": 0.5}
    history = [first, {**second, "effective_clusters": 2}]
    info = {"row": {"method": {"name": "dec"}}, "encoder": "deep", "clusterer": "dec"}
    info |= {"seed": 7, "seconds": 0.5, "n_clusters": 2}
    clusters = SWAPPED.astype(np.int32)
    clusterings.write(folder, info, {}, clusters, assignments=assignments)
    clusterings.write_refined(folder, codes(x), {}, {}, history)
    name_run(folder)
    maps = folder.parents[1] / "evaluations/refined" / folder.name
    maps.mkdir(parents=True)
    write_maps(maps)


def name_run(folder: Path) -> None:
    """MLflow finds the run of this row as f-<key>."""
    (folder / rows.FILE).write_text(json.dumps({"identity": f"f-{folder.name}"}))


def write_choose_k(folder: Path) -> None:
    folder.mkdir(parents=True)
    curve = [{"n_clusters": 2, "modularity": 0.5, "silhouette": 0.75, "merit": 0.25}]
    curve += [{"n_clusters": 3, "modularity": 0.25, "silhouette": None, "merit": 0.0}]
    best = Recommendation(2, 2, 2, levels=(), strength=0.5, is_clear=True)
    choices.write_k(folder, ChosenK(curve, best, taken=2))


class Recorder(tracking.Run):
    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self.images: list[str] = []
        self.files: list[str] = []
        self.models: list[tuple[str, bytes]] = []
        self.calls: list[str] = []
        """Models and metrics, in the order in which they are logged."""

    def log_metrics(self, metrics: dict[str, float], step: int = 0) -> None:
        self.metrics |= metrics
        self.calls.append("metrics")

    def log_image(self, key: str, image: np.ndarray, step: int) -> None:
        assert image.dtype == np.uint8
        assert image.shape[2] == 3
        self.images.append(key)

    def log_file(self, file: Path) -> None:
        self.files.append(file.name)

    def lacks_model(self, fingerprint: str) -> bool:
        return not self.models

    def log_model(self, name: str, fingerprint: str, archive: bytes) -> None:
        self.models.append((name, archive))

    def score_model(self, fingerprint: str) -> None:
        self.calls.append("scores of the model")


class Reported(NamedTuple):
    folder: Path
    runs: dict[tuple[str, str], Recorder]


@contextmanager
def in_project(folder: Path, x: np.ndarray) -> Iterator[Reported]:
    """A folder with what the earlier stages leave, as the working directory."""
    loaded, runs = left_by_others(folder, x), dict[tuple[str, str], Recorder]()

    @contextmanager
    def start_run(name: str, *_: Any) -> Iterator[Recorder]:
        yield runs.setdefault((name, "toy"), Recorder())

    @contextmanager
    def amend_run(fingerprint: str, data: tracking.RunData) -> Iterator[Recorder]:
        yield runs.setdefault((fingerprint, data.name), Recorder())

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(params, "load", lambda: loaded)
        patch.setattr(tracking, "amend_run", amend_run)
        patch.setattr(tracking, "open_client", lambda: None)
        patch.setattr(tracking, "start_run", start_run)
        patch.setattr(models, "packed", lambda served: served.kind.encode())
        yield Reported(folder, runs)


def left_by_others(project: Path, x: np.ndarray) -> Params:
    """Writes it; returns the params."""
    data = project / "data/toy"
    data.mkdir(parents=True)
    np.save(data / "x.npy", x)
    np.save(data / "split.npy", SPLIT)
    np.save(data / "labels.npy", LABELS)
    (data / "label_names.csv").write_text("label,name\n")
    write_encoder(project / "artifacts/toy/encoders/plain-x", x, is_baseline=True)
    write_encoder(project / "artifacts/toy/encoders/deep", x, is_baseline=False)
    write_encoder(project / "artifacts/toy/encoders/stale", x, is_baseline=False)
    for key, clusters in CLUSTERINGS.items():
        folder = project / "artifacts/toy/clusterings" / key
        folder.mkdir(parents=True)
        info = {
            "row": PARAMS["clusterings"][key],
            "clusterer": "kmeans",
            "seed": 7,
            "seconds": 0.25,
        }
        info |= {"encoder": info["row"]["encoder"]}
        clusterings.write(folder, info, {}, clusters.astype(np.int32))
        name_run(folder)
    write_deep_clustering(project / "artifacts/toy/deep_clusterings/refined", x)
    write_choose_k(project / "artifacts/toy/choose_k")
    for seed, clusters in [(0, ONE), (3, SWAPPED)]:
        folder = clusterings.seed_folder(project / "artifacts/toy", seed, "good")
        folder.mkdir(parents=True)
        clusterings.write(folder, {}, {}, clusters.astype(np.int32))
    p = params.from_dict(PARAMS)
    return dataclasses.replace(p, dataset=dataclasses.replace(p.dataset, name="toy"))


def read_csv(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))
