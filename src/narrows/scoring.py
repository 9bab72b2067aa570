"""What the earlier stages left on disk -> the rows of the results.

Labels meet clusters here and nowhere else. Of every clustering the matching of clusters to labels
is fitted on the train split and applied to validation and test.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from narrows import metrics, splits, work
from narrows.errors import UserError

Row = dict[str, Any]  # one line of a results file; None where a score is not defined


@dataclass(frozen=True)
class Data:
    x: np.ndarray
    """(N, C, H, W) or (N, D), memory-mapped."""
    split: np.ndarray
    """(N,), positions in `splits.NAMES`."""
    labels: np.ndarray | None
    """(N,), or None where the data has none."""

    def rows(self, split: str) -> np.ndarray:
        """Mask (N,) of the rows of one split."""
        return self.split == splits.NAMES.index(split)


@dataclass(frozen=True)
class Encoder:
    key: str
    is_baseline: bool
    codes: np.ndarray
    """(N, D), memory-mapped."""
    train: dict[str, Any]
    """train.json."""
    samples: dict[str, np.ndarray]
    """x, noisy, reconstruction of a few validation rows."""
    history: dict[str, np.ndarray] | None
    """Columns of history.csv; None for a baseline."""


@dataclass(frozen=True)
class Clustering:
    key: str
    encoder: str
    clusterer: str
    clusters: np.ndarray
    """(N,), -1 is noise."""
    info: dict[str, Any]
    """cluster.json."""


def read_data(folder: Path) -> Data:
    """data/<dataset>; raises `UserError` naming the stage to run where a file is missing."""
    x = _array(folder / "x.npy", "prepare")
    split = _array(folder / "split.npy", "prepare")
    labels = _array(folder / "labels.npy", "prepare")
    _same_rows(folder / "split.npy", split, x)
    if len(labels):
        _same_rows(folder / "labels.npy", labels, x)
    return Data(x, np.asarray(split), np.asarray(labels) if len(labels) else None)


def read_encoder(folder: Path, data: Data, is_baseline: bool) -> Encoder:
    """artifacts/<dataset>/encoders/<key>; raises as `read_data` does."""
    stage = f"{'baseline' if is_baseline else 'train'}@{folder.name}"
    codes = _array(folder / "codes.npy", stage)
    _same_rows(folder / "codes.npy", codes, data.x)
    history = None
    if not is_baseline:
        with work.existing(folder / "history.csv", stage).open(newline="") as stream:
            header, *lines = csv.reader(stream)
        history = dict(zip(header, np.array(lines, dtype=float).T, strict=True))
    return Encoder(
        key=folder.name,
        is_baseline=is_baseline,
        codes=codes,
        train=_json(folder / "train.json", stage),
        samples=_arrays(folder / "samples.npz", stage),
        history=history,
    )


def read_clustering(folder: Path, data: Data, encoder: str, clusterer: str) -> Clustering:
    """artifacts/<dataset>/clusterings/<key>; raises as `read_data` does."""
    stage = f"cluster@{folder.name}"
    clusters = _arrays(folder / "clusters.npz", stage)["clusters"]
    _same_rows(folder / "clusters.npz", clusters, data.x)
    info = _json(folder / "cluster.json", stage)
    return Clustering(folder.name, encoder, clusterer, clusters, info)


def autoencoder_rows(encoders: Sequence[Encoder]) -> list[Row]:
    """One row per encoder (baselines included) and split: the lines of autoencoders.csv."""
    return [
        {
            "autoencoder": encoder.key,
            "split": split,
            "code_size": encoder.train["code_size"],
            "n_parameters": encoder.train["n_parameters"],
            **{name: encoder.train["splits"][split][name] for name in ("mse", "psnr", "ssim")},
            "epochs_run": encoder.train["epochs_run"],
            "seconds": encoder.train["seconds"],
            "seed": encoder.train["seed"],
        }
        for encoder in encoders
        for split in splits.NAMES
    ]


def clustering_rows(data: Data, clusterings: Sequence[Clustering], seed: int) -> list[Row]:
    """One row per clustering and split: the lines of clusterings.csv.

    The silhouette is taken in the space of the data itself, the same for every row: in each
    encoder's own space the values would not compare.
    """
    return [
        {
            "clustering": clustering.key,
            "encoder": clustering.encoder,
            "clusterer": clustering.clusterer,
            "split": split,
            **_scores(data, clustering.clusters, split, seed),
            "seconds": clustering.info["seconds"],
            "seed": clustering.info["seed"],
        }
        for clustering in clusterings
        for split in splits.NAMES
    ]


def matching(data: Data, clusters: np.ndarray) -> dict[int, int]:
    """{cluster: label} fitted on the train split; empty without labels."""
    if data.labels is None:
        return {}
    train = data.rows("train")
    return metrics.matching(data.labels[train], clusters[train])


def summary(autoencoders: Sequence[Row], clusterings: Sequence[Row]) -> dict[str, Any]:
    """The nested scores for `dvc metrics`: what a change of code may move, so no seconds."""
    told: dict[str, Any] = {"autoencoders": {}, "clusterings": {}}
    for row in autoencoders:
        if row["split"] != "train":
            told["autoencoders"].setdefault(row["autoencoder"], {})[row["split"]] = scores(row)
    for row in clusterings:
        if row["split"] == "test":
            told["clusterings"][row["clustering"]] = scores(row)
    return told


def scores(row: Row) -> dict[str, float]:
    """The defined scores of a row, to five significant digits."""
    names = ("mse", "psnr", "ssim", "acc", "nmi", "ari", "purity", "silhouette", "coverage")
    found = {name: float(f"{row[name]:.5g}") for name in names if row.get(name) is not None}
    if "n_clusters_found" in row:
        found["n_clusters_found"] = row["n_clusters_found"]
    return found


def _scores(data: Data, clusters: np.ndarray, split: str, seed: int) -> Row:
    chosen = data.rows(split)
    pairs = matching(data, clusters)
    clusters = clusters[chosen]
    found: Row = {"n": len(clusters), "nmi": None, "acc": None, "ari": None, "purity": None}
    if data.labels is not None:
        labels = data.labels[chosen]
        found["nmi"] = metrics.nmi(labels, clusters)
        found["acc"] = metrics.accuracy(labels, clusters, pairs)
        found["ari"] = metrics.ari(labels, clusters)
        found["purity"] = metrics.purity(labels, clusters)
    points = data.x.reshape(len(data.x), -1)[chosen]
    found["silhouette"] = metrics.silhouette(points, clusters, seed)
    found["coverage"] = metrics.coverage(clusters)
    found["n_clusters_found"] = len(np.unique(clusters[clusters != metrics.NOISE]))
    return found


def _array(file: Path, stage: str) -> np.ndarray:
    return np.load(work.existing(file, stage), mmap_mode="r", allow_pickle=False)


def _arrays(file: Path, stage: str) -> dict[str, np.ndarray]:
    with np.load(work.existing(file, stage), allow_pickle=False) as arrays:
        return dict(arrays)


def _json(file: Path, stage: str) -> dict[str, Any]:
    return json.loads(work.existing(file, stage).read_text(encoding="utf-8"))


def _same_rows(file: Path, found: np.ndarray, x: np.ndarray) -> None:
    if len(found) != len(x):
        raise UserError(
            f"{file} has {len(found)} rows and x.npy has {len(x)}; run `dvc repro` to remake it"
        )
