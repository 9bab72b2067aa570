"""What the earlier stages left on disk, read back for the report."""

import csv
import json
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data import blocks, splits
from narrows.store import work


@dataclass(frozen=True)
class Data:
    x: np.ndarray
    """(N, C, H, W) or (N, D), memory-mapped."""
    split: np.ndarray
    """(N,), positions in `splits.NAMES`."""
    labels: np.ndarray | None
    """(N,), or None where the data has none."""
    label_names: tuple[str, ...] = ()
    """What the user called label 0, 1, ...; empty where labels are numbers."""

    def rows(self, split: str) -> np.ndarray:
        """Mask (N,) of the rows of one split, or of "all"."""
        if split == "all":
            return np.full(len(self.split), True)
        return self.split == splits.NAMES.index(split)

    def unit(self, rows: np.ndarray) -> np.ndarray:
        """Samples of these rows (n, ...) as float32, pictures in [0, 1]."""
        x = blocks.taken(self.x, rows)
        return x.astype(np.float32) / (255 if x.dtype == np.uint8 else 1)


@dataclass(frozen=True)
class Evaluation:
    """What stage `evaluate` measured and drew of one encoder, without a label."""

    scores: dict[str, Any]
    """scores.json: "code", "robustness" by corruption, "variational" or None."""
    rows: np.ndarray
    """(n,), the rows of x.npy that the maps show."""
    pca: np.ndarray
    """(n, 2), first two principal components of the codes of these rows."""
    umap: np.ndarray
    """(n, 2), UMAP of the same codes."""
    pictures: dict[str, np.ndarray]
    """By name, in [0, 1]; which there are depends on the encoder. See README."""


@dataclass(frozen=True)
class Encoder:
    key: str
    is_baseline: bool
    codes: np.ndarray
    """(N, D), memory-mapped."""
    config: dict[str, Any]
    """config.json."""
    train: dict[str, Any]
    """train.json."""
    samples: dict[str, np.ndarray]
    """x, noisy, reconstruction of a few validation rows."""
    history: dict[str, np.ndarray] | None
    """Columns of history.csv; None for a baseline."""
    evaluation: Evaluation


@dataclass(frozen=True)
class Clustering:
    key: str
    encoder: str
    clusterer: str
    clusters: np.ndarray
    """(N,), -1 is noise."""
    info: dict[str, Any]
    """cluster.json."""
    codes: np.ndarray
    """(N, D), memory-mapped: the encoder's, or those that were refined with the clusters."""
    history: dict[str, np.ndarray] | None
    """Columns of a deep clustering's history.csv, by update."""
    assignments: np.ndarray | None
    """(T, N), the clusters at every update of a deep clustering."""
    map_rows: np.ndarray
    """(n,), the rows of x.npy that the map shows."""
    umap: np.ndarray
    """(n, 2), UMAP of the codes of these rows."""


@dataclass(frozen=True)
class ChosenK:
    curve: list[dict[str, Any]]
    """By k: "n_clusters", "silhouette", "stability" and "bic"."""
    recommended: int | None
    taken: int
    """What the clusterings were told."""


@dataclass(frozen=True)
class SearchResult:
    """The trials that a tuned encoder was chosen from."""

    key: str
    study: str
    objectives: Sequence[str]
    trials: Sequence[dict[str, Any]]
    """Those with a result: "trial", its number, "params" that were drawn, a value by objective."""
    front: Sequence[int]
    """Numbers of those that no other beats."""
    winner: int


def read_data(folder: Path) -> Data:
    """data/<dataset>; raises `UserError` naming the stage to run where a file is missing."""
    x = _array(folder / "x.npy", "prepare")
    split = _array(folder / "split.npy", "prepare")
    labels = _array(folder / "labels.npy", "prepare")
    work.same_rows(folder / "split.npy", split, x)
    if len(labels):
        work.same_rows(folder / "labels.npy", labels, x)
    file = work.existing(folder / "label_names.csv", "prepare")
    with file.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
        names = tuple(row["name"] for row in csv.DictReader(stream))
    return Data(x, np.asarray(split), np.asarray(labels) if len(labels) else None, names)


def read_encoder(
    artifacts: Path, key: str, data: Data, baselines: Container[str], searches: Container[str]
) -> Encoder:
    """artifacts/<dataset>/encoders/<key> and its evaluation; raises as `read_data` does."""
    folder, is_baseline = artifacts / "encoders" / key, key in baselines
    stage = work.encoder_stage(key, baselines, searches)
    codes = _array(folder / "codes.npy", stage)
    work.same_rows(folder / "codes.npy", codes, data.x)
    history = None
    if not is_baseline:
        history = _history(folder / "history.csv", stage)
    return Encoder(
        key=key,
        is_baseline=is_baseline,
        codes=codes,
        config=_json(folder / "config.json", stage),
        train=_json(folder / "train.json", stage),
        samples=_arrays(folder / "samples.npz", stage),
        history=history,
        evaluation=read_evaluation(artifacts / "evaluations/encoders" / key),
    )


def read_evaluation(folder: Path) -> Evaluation:
    """artifacts/<dataset>/evaluations/encoders/<key>; raises as `read_data` does."""
    scores = _json(folder / "scores.json", "evaluate")
    maps = _arrays(folder / "maps.npz", "evaluate")
    pictures = _arrays(folder / "pictures.npz", "evaluate")
    return Evaluation(scores, maps["rows"], maps["pca"], maps["umap"], pictures)


def read_clustering(
    artifacts: Path, key: str, data: Data, encoder: str, clusterer: str, is_deep: bool
) -> Clustering:
    """artifacts/<dataset>/clusterings/<key>; raises as `read_data` does."""
    folder = artifacts / "clusterings" / key
    stage = work.cluster_stage(key, is_deep)
    found = _arrays(folder / "clusters.npz", stage)
    work.same_rows(folder / "clusters.npz", found["clusters"], data.x)
    mapped = f"refined/{key}" if is_deep else f"encoders/{encoder}"
    maps = _arrays(artifacts / "evaluations" / mapped / "maps.npz", "evaluate")
    return Clustering(
        key=key,
        encoder=encoder,
        clusterer=clusterer,
        clusters=found["clusters"],
        info=_json(folder / "cluster.json", stage),
        codes=_array(
            (folder if is_deep else artifacts / "encoders" / encoder) / "codes.npy", stage
        ),
        history=_history(folder / "history.csv", stage) if is_deep else None,
        assignments=found["assignments"] if is_deep else None,
        map_rows=maps["rows"],
        umap=maps["umap"],
    )


def read_choose_k(artifacts: Path) -> ChosenK:
    """artifacts/<dataset>/choose_k; raises as `read_data` does."""
    folder = artifacts / "choose_k"
    told = _json(folder / "curve.json", "choose_k")
    taken = _json(folder / "n_clusters.json", "choose_k")
    return ChosenK(told["curve"], told["recommended"], taken["n_clusters"])


def read_search(artifacts: Path, key: str) -> SearchResult:
    """trials.json beside the winner's encoder; raises as `read_data` does."""
    told = _json(artifacts / "encoders" / key / "trials.json", f"train_tuned@{key}")
    complete = [trial for trial in told["trials"] if trial["state"] == "COMPLETE"]
    return SearchResult(
        key, told["study"], told["objectives"], complete, told["front"], told["winner"]
    )


def read_seeds(
    artifacts: Path, own: Clustering, seeds: Sequence[int], data: Data
) -> dict[int, np.ndarray]:
    """Clusters (N,) of a row by seed, its own and artifacts/<dataset>/seeds; raises as `read_data`
    does."""
    found = {}
    for seed in seeds:
        if seed == own.info["seed"]:
            found[seed] = own.clusters
            continue
        file = artifacts / "seeds" / str(seed) / own.key / "clusters.npy"
        found[seed] = _array(file, f"seeds@{seed}")
        work.same_rows(file, found[seed], data.x)
    return found


def _array(file: Path, stage: str) -> np.ndarray:
    return np.load(work.existing(file, stage), mmap_mode="r", allow_pickle=False)


def _arrays(file: Path, stage: str) -> dict[str, np.ndarray]:
    with np.load(work.existing(file, stage), allow_pickle=False) as arrays:
        return dict(arrays)


def _history(file: Path, stage: str) -> dict[str, np.ndarray]:
    """Columns of a history.csv; an empty cell is nan."""
    with work.existing(file, stage).open(newline="") as stream:
        header, *lines = csv.reader(stream)
    values = np.array([[cell or "nan" for cell in line] for line in lines], dtype=float)
    return dict(zip(header, values.T, strict=True))


def _json(file: Path, stage: str) -> dict[str, Any]:
    return json.loads(work.existing(file, stage).read_text(encoding="utf-8"))
