"""What is compared: a row, a git revision or an MLflow run, read from wherever it is still told.

What cannot be read is no error: it is said.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from narrows.tracking.run import flat

SPLITS = ("val", "test")
NO_SCORES = {"autoencoder", "clustering", "encoder", "clusterer", "split", "n", "seed", "seconds"}
N_NAMED = 3
OVER_SEEDS = ("acc", "nmi")  # scores that seeds.csv has a mean and a deviation of


@dataclass(frozen=True)
class Spread:
    mean: float
    sd: float
    n_seeds: int


@dataclass(frozen=True)
class Samples:
    x: np.ndarray
    """(n, ...) in [0, 1], the validation samples that every picture of every run shows."""
    x_hat: np.ndarray


@dataclass
class Side:
    name: str
    """As it was asked for."""
    what: str
    """A sentence: of which kind, from where."""
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    spread: dict[str, Spread] = field(default_factory=dict)
    """By score, over seeds."""
    agreement: float | None = None
    """Mean adjusted Rand index between seeds."""
    samples: dict[str, Samples] = field(default_factory=dict)
    """By encoder; of a row or run under "", the only one."""
    clusters: dict[str, np.ndarray] = field(default_factory=dict)
    """(N,) by clustering; of a row or run under ""."""
    data_digest: str | None = None
    x: np.ndarray | None = None
    """All samples (N, ...) as stored, where they are there."""
    picture: bytes | None = None
    """A PNG that MLflow kept, where there are no samples."""
    uncached: dict[str, list[str]] = field(default_factory=dict)
    """By kind of file: of which rows DVC's cache has none."""
    lacking: list[str] = field(default_factory=list)
    """What else could not be read, in sentences."""

    @property
    def missing(self) -> list[str]:
        """All that could not be read, in sentences."""
        told = []
        for what, rows in self.uncached.items():
            more = f" and {len(rows) - N_NAMED} more" if len(rows) > N_NAMED else ""
            told.append(f"{what} of {', '.join(rows[:N_NAMED])}{more} (not in DVC's cache)")
        return told + self.lacking


class Tree:
    """The project's files as they lie in a folder."""

    def __init__(self, folder: Path = Path(), told: str = "the working tree"):
        self.folder, self.told = folder, told

    def file(self, path: str) -> Path | None:
        """A local file of that content; None where there is none."""
        return self.folder / path if (self.folder / path).is_file() else None

    def text(self, path: str) -> str | None:
        found = self.file(path)
        return found.read_text(encoding="utf-8") if found else None

    def rows(self, path: str) -> list[dict[str, str]]:
        """Lines of a CSV; none where it is missing."""
        return list(csv.DictReader(io.StringIO(self.text(path) or "")))

    def json(self, path: str) -> Any:
        told = self.text(path)
        return None if told is None else json.loads(told)

    def yaml(self, path: str) -> dict[str, Any]:
        """A mapping; an empty one where the file is missing."""
        return dict(YAML(typ="safe").load(self.text(path) or "{}") or {})

    def array(self, path: str, name: str | None = None) -> np.ndarray | None:
        """An .npy, or one array of an .npz."""
        if (found := self.file(path)) is None:
            return None
        if name is None:
            array: np.ndarray = np.load(found, mmap_mode="r", allow_pickle=False)
            return array
        with np.load(found, allow_pickle=False) as arrays:
            chosen: np.ndarray = arrays[name]
            return chosen


class Revision(Tree):
    """The same of a commit: what git tracks, and what of DVC's outputs is in its cache."""

    def __init__(self, commit: str, folder: Path):
        from dvc.api import DVCFileSystem

        super().__init__(folder, f"commit {commit[:10]}")
        self.found = DVCFileSystem(rev=commit)

    def file(self, path: str) -> Path | None:
        there = self.folder / path
        if not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            try:
                self.found.get_file(path, str(there))
            except Exception:  # DVC has one of its own for each way in which a file can be missing
                there.unlink(missing_ok=True)
                return None
        return there if there.is_file() else None


@contextmanager
def revision(commit: str) -> Iterator[Revision]:
    """The files of a commit, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        yield Revision(commit, Path(folder))


def params_of(tree: Tree) -> dict[str, Any]:
    """params.yaml, unchecked: an older one may have had other keys."""
    return tree.yaml("params.yaml")


def of_row(name: str, tree: Tree, key: str, dataset: str) -> Side:
    """A row of any section, as the pipeline left it."""
    side = Side(name, f"row {key} of {tree.told}")
    made, results = f"artifacts/{dataset}", f"results/{dataset}"
    told = tree.json(f"{made}/clusterings/{key}/cluster.json")
    section = params_of(tree)
    rows = {**(section.get("clusterings") or {}), **(section.get("deep_clusterings") or {})}
    encoder = (told or rows.get(key) or {}).get("encoder", key)
    if told is not None:
        side.params = _words({**told["row"], "n_clusters": told["n_clusters"]})
        side.params["seed"] = str(told["seed"])
    config = tree.json(f"{made}/encoders/{encoder}/config.json")
    if config is not None:
        prefix = "encoder." if encoder != key else ""
        side.params |= {f"{prefix}{k}": v for k, v in _words(config["row"]).items()}
        side.data_digest = config["data_digest"]
    if not side.params:
        side.params = _words(row_of_params(section, key))
        side.lacking.append(f"{made}: the stage of {key} is not done, or not in DVC's cache")
    side.metrics = _scores(tree, results, key)
    if not side.metrics:
        side.lacking.append(f"{results}: no scores of {key}; `dvc repro report` makes them")
    for row in tree.rows(f"{results}/seeds.csv"):
        if row["clustering"] == key:
            _add_seeds(side, row)
            side.agreement = float(row["agreement"]) if row["agreement"] else None
    _add_samples(side, tree, made, encoder, "")
    if encoder != key:
        _add_clusters(side, tree, made, key, "")
    _add_data(side, tree, dataset)
    return side


def of_revision(name: str, tree: Tree) -> Side:
    """All rows of a commit at once, of the data set that its params.yaml names."""
    side = Side(name, tree.told)
    told = params_of(tree)
    side.params = _words(told)
    dataset = told.get("dataset", {}).get("name", "")
    summary = tree.json(f"results/{dataset}/summary.json")
    if summary is None:
        side.lacking.append(f"results/{dataset}/summary.json is not in {tree.told}")
    side.metrics = {k: float(v) for k, v in flat(summary or {}).items()}
    for row in tree.rows(f"results/{dataset}/seeds.csv"):
        _add_seeds(side, row, f"{row['clustering']}.")
    made = f"artifacts/{dataset}"
    for key in [key for s in ("autoencoders", "searches") for key in told.get(s) or {}]:
        _add_samples(side, tree, made, key, key)
    for key in [key for s in ("clusterings", "deep_clusterings") for key in told.get(s) or {}]:
        _add_clusters(side, tree, made, key, key)
    configs = (tree.json(f"{made}/encoders/{key}/config.json") for key in side.samples)
    side.data_digest = next((c["data_digest"] for c in configs if c), None)
    _add_data(side, tree, dataset)
    return side


def _add_samples(side: Side, tree: Tree, made: str, encoder: str, kept: str) -> None:
    file = f"{made}/encoders/{encoder}/samples.npz"
    x, x_hat = tree.array(file, "x"), tree.array(file, "reconstruction")
    if x is None or x_hat is None:
        side.uncached.setdefault("samples and reconstructions", []).append(encoder)
    else:
        side.samples[kept] = Samples(x, x_hat)


def _add_clusters(side: Side, tree: Tree, made: str, key: str, kept: str) -> None:
    clusters = tree.array(f"{made}/clusterings/{key}/clusters.npz", "clusters")
    if clusters is None:
        side.uncached.setdefault("clusters", []).append(key)
    else:
        side.clusters[kept] = clusters


def _add_data(side: Side, tree: Tree, dataset: str) -> None:
    if side.clusters:
        side.x = tree.array(f"data/{dataset}/x.npy")
        if side.x is None:
            side.uncached["x.npy"] = [f"data/{dataset}"]


def _add_seeds(side: Side, row: dict[str, str], prefix: str = "") -> None:
    """A line of seeds.csv."""
    for score in OVER_SEEDS:
        mean, sd = row[f"{score}_mean"], row[f"{score}_sd"]
        if mean and sd:
            spread = Spread(float(mean), float(sd), int(row["n_seeds"]))
            side.spread[prefix + score] = spread


def _scores(tree: Tree, results: str, key: str) -> dict[str, float]:
    """Under the keys that MLflow's runs have."""
    found: dict[str, float] = {}
    for file, column in (("autoencoders", "autoencoder"), ("clusterings", "clustering")):
        for row in tree.rows(f"{results}/{file}.csv"):
            if row[column] == key and row["split"] in SPLITS:
                scores = {k: v for k, v in row.items() if k not in NO_SCORES and v}
                found |= {f"{row['split']}/{k}": float(v) for k, v in scores.items()}
    for row in tree.rows(f"{results}/codes.csv"):
        if row["autoencoder"] == key:
            scores = {k: v for k, v in row.items() if k not in NO_SCORES and v}
            of_test = ("linear_probe", "knn", "precision_1", "precision_5", "precision_10")
            found |= {
                f"{'test' if k in of_test else 'code'}/{k}": float(v) for k, v in scores.items()
            }
    return found


def row_of_params(told: dict[str, Any], key: str) -> dict[str, Any]:
    """The row of this key, whatever its section; an empty one where there is none."""
    sections = ("baselines", "autoencoders", "searches", "clusterings", "deep_clusterings")
    return next((told[s][key] for s in sections if key in (told.get(s) or {})), {})


def _words(told: dict[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in flat(told).items()}
