"""What the earlier stages left on disk, read back for the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from narrows.config.sections import SAMPLES
from narrows.data import blocks, splits
from narrows.data.unit import to_unit
from narrows.store import choices, clusterings, encoders, evaluations
from narrows.store.clusterings import StoredClustering
from narrows.store.encoders import StoredEncoder
from narrows.store.evaluations import StoredEvaluation
from narrows.store.reading import read_array, read_lines, same_rows


@dataclass(frozen=True)
class LabelledData:
    """The samples of a data set with their labels, which only the report sees."""

    x: np.ndarray
    """Samples (N, C, H, W) or (N, D), memory-mapped."""
    split: np.ndarray
    """Split of every sample (N,), a position in `splits.NAMES`."""
    labels: np.ndarray | None
    """Labels (N,); None where the data has none."""
    label_names: tuple[str, ...] = ()
    """What the user called label 0, 1, ...; empty where labels are numbers."""
    features: np.ndarray | None = None
    """Features (N, D) of the samples, between which distances are measured for every row; None
    where they are measured between the samples."""

    @property
    def points(self) -> np.ndarray:
        """Points (N, ...) between which distances are measured."""
        return self.x if self.features is None else self.features

    def mask(self, split: str) -> np.ndarray:
        """Which samples (N,) belong to a split, or to "all"."""
        return splits.mask(self.split, split)

    def unit(self, rows: np.ndarray) -> np.ndarray:
        """Samples of these rows (n, ...) as float32, pictures in [0, 1]."""
        return to_unit(blocks.take(self.x, rows))


@dataclass(frozen=True)
class Evaluation:
    """Scores, maps and pictures of one encoder that stage `evaluate` left, without a label."""

    scores: dict[str, Any]
    """Content of scores.json: "code", "robustness" by corruption, "variational" or None."""
    rows: np.ndarray
    """Rows (n,) of x.npy that the maps show."""
    pca: np.ndarray
    """First two principal components (n, 2) of the codes of these rows."""
    umap: np.ndarray
    """UMAP (n, 2) of the same codes."""
    pictures: dict[str, np.ndarray]
    """Pictures in [0, 1] by name; which there are depends on the encoder, docs/guides/compare.md
    lists them."""


@dataclass(frozen=True)
class ReportedEncoder:
    """What all stages left of one encoder."""

    key: str
    """Key of its row."""
    is_baseline: bool
    """Whether it was not trained."""
    identity: str
    """The word under which MLflow finds its run."""
    codes: np.ndarray
    """Codes (N, D) of all samples, memory-mapped."""
    config: dict[str, Any]
    """Content of config.json."""
    train: dict[str, Any]
    """Content of train.json."""
    samples: dict[str, np.ndarray]
    """Arrays x, noisy and reconstruction of some validation samples."""
    history: dict[str, np.ndarray] | None
    """Columns of history.csv; None for a baseline."""
    evaluation: Evaluation

    @property
    def input(self) -> str:
        """`SAMPLES`, or the key of the row of `pretrained` whose features it takes."""
        return str(self.config.get("input", SAMPLES))


@dataclass(frozen=True)
class ReportedClustering:
    """What all stages left of one clustering."""

    key: str
    """Key of its row."""
    encoder: str
    """Key of its encoder's row."""
    clusterer: str
    """Name of the clusterer, or of the method of a deep clustering."""
    identity: str
    """The word under which MLflow finds its run."""
    clusters: np.ndarray
    """Clusters (N,); -1 is noise."""
    info: dict[str, Any]
    """Content of cluster.json."""
    codes: np.ndarray
    """Codes (N, D), memory-mapped: the encoder's, or those that were refined with the clusters."""
    history: dict[str, np.ndarray] | None
    """Columns of a deep clustering's history.csv, by update; None for others."""
    assignments: np.ndarray | None
    """Clusters (T, N) at every update of a deep clustering; None for others."""
    map_rows: np.ndarray
    """Rows (n,) of x.npy that the map shows."""
    umap: np.ndarray
    """UMAP (n, 2) of the codes of these rows."""


@dataclass(frozen=True)
class SearchResult:
    """The trials that a tuned encoder was chosen from."""

    key: str
    """Key of the search."""
    study: str
    """Name of its study."""
    objectives: Sequence[str]
    """Names of the objectives; the first one picks the winner."""
    trials: Sequence[dict[str, Any]]
    """Trials with a result: "trial", its number, "params" that it tried, a value by objective."""
    front: Sequence[int]
    """Numbers of the trials that no other beats."""
    winner: int
    """Number of the trial that was trained."""


def read_data(folder: Path) -> LabelledData:
    """data/<dataset>; raises `UserError` naming the stage to run where a file is missing."""
    x = read_array(folder / "x.npy")
    split = read_array(folder / "split.npy")
    labels = read_array(folder / "labels.npy")
    same_rows(folder / "split.npy", split, x)
    if len(labels):
        same_rows(folder / "labels.npy", labels, x)
    names = tuple(line[-1] for line in read_lines(folder / "label_names.csv")[1:] if line)
    return LabelledData(x, np.asarray(split), np.asarray(labels) if len(labels) else None, names)


def read_encoder(artifacts: Path, key: str, data: LabelledData) -> ReportedEncoder:
    """An encoder and its evaluation; raises as `read_data` does."""
    stored = StoredEncoder(encoders.folder(artifacts, key))
    same_rows(stored.folder / "codes.npy", stored.codes, data.x)
    return ReportedEncoder(
        key=key,
        is_baseline=stored.is_baseline,
        identity=stored.identity,
        codes=stored.codes,
        config=stored.config,
        train=stored.train,
        samples=stored.samples,
        history=stored.history,
        evaluation=read_evaluation(evaluations.encoder_folder(artifacts, key)),
    )


def read_evaluation(folder: Path) -> Evaluation:
    """What stage `evaluate` left of an encoder; raises as `read_data` does."""
    stored = StoredEvaluation(folder)
    maps = stored.maps
    return Evaluation(stored.scores, maps["rows"], maps["pca"], maps["umap"], stored.pictures)


def read_clustering(artifacts: Path, key: str, data: LabelledData) -> ReportedClustering:
    """A row of clusterings or deep_clusterings; raises as `read_data` does."""
    stored = clusterings.open_clustering(artifacts, key)
    same_rows(stored.folder / "clusters.npz", stored.clusters, data.x)
    encoder = stored.info["encoder"]
    place = (
        evaluations.refined_folder(artifacts, key)
        if stored.is_deep
        else evaluations.encoder_folder(artifacts, encoder)
    )
    maps = StoredEvaluation(place).maps
    return ReportedClustering(
        key=key,
        encoder=encoder,
        clusterer=stored.info["clusterer"],
        identity=stored.identity,
        clusters=stored.clusters,
        info=stored.info,
        codes=stored.codes,
        history=stored.history,
        assignments=stored.assignments,
        map_rows=maps["rows"],
        umap=maps["umap"],
    )


def read_search(artifacts: Path, key: str) -> SearchResult:
    """The trials of a search; raises as `read_data` does."""
    winner = choices.read_winner(choices.winner_folder(artifacts, key))
    complete = [trial for trial in winner.trials if trial["state"] == "COMPLETE"]
    return SearchResult(key, winner.study, winner.objectives, complete, winner.front, winner.number)


def read_seeds(
    artifacts: Path, own: ReportedClustering, seeds: Sequence[int], data: LabelledData
) -> dict[int, np.ndarray]:
    """Clusters (N,) of a row by seed, its own included; raises as `read_data` does."""
    clusters = {}
    for seed in seeds:
        if seed == own.info["seed"]:
            clusters[seed] = own.clusters
            continue
        stored = StoredClustering(clusterings.seed_folder(artifacts, seed, own.key))
        clusters[seed] = stored.clusters
        same_rows(stored.folder / "clusters.npz", stored.clusters, data.x)
    return clusters
