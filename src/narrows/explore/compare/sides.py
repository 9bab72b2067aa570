"""What is compared: a row, a git revision or an MLflow run, read from the files that tell of it.

What cannot be read is no error: the side says what is missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from narrows import tracking
from narrows.config.params import title_of
from narrows.store.rows import FILE
from narrows.tracking import lookup, provenance, system_metrics
from narrows.tracking.tree import Tree

SPLITS = ("val", "test")
SCORES = ("autoencoders.csv", "clusterings.csv", "codes.csv")
NO_SCORES = {"autoencoder", "input", "clustering", "encoder", "clusterer", "split", "n"}
NO_SCORES |= {"seed", "seconds"}
TEST_SCORES = ("linear_probe", "knn", "precision_1", "precision_5", "precision_10")  # of codes.csv
UNCACHED = "not computed, or not in DVC's cache: commit dvc.lock after `dvc repro`, or `dvc pull`"
N_NAMED = 3  # rows that a sentence names before it counts the others
OVER_SEEDS = ("acc", "nmi")  # scores that seeds.csv has a mean and a deviation of
PICTURE = re.compile(r"images/reconstructions\+step\+\d+\+timestamp\+\d+\+[\w-]+\.png")


@dataclass(frozen=True)
class Spread:
    """A score over several seeds."""

    mean: float
    """Mean over the seeds."""
    sd: float
    """Standard deviation over the seeds."""
    n_seeds: int
    """Number of seeds."""


@dataclass(frozen=True)
class Reconstructions:
    """The validation samples that every picture of every run shows, and what became of them."""

    x: np.ndarray
    """Samples (n, ...) in [0, 1]."""
    x_hat: np.ndarray
    """Reconstructions (n, ...) of the samples."""


@dataclass
class Side:
    """One of the things that are compared."""

    name: str
    """Name under which the user asked for it."""
    what: str
    """A sentence: what kind of thing it is, and where it was read."""
    params: dict[str, str] = field(default_factory=dict)
    """Parameters by dotted key."""
    has_all_params: bool = True
    """Whether a key that is missing has no value; False where it may have a default."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Scores of one seed, by MLflow's key."""
    spread: dict[str, Spread] = field(default_factory=dict)
    """Scores over seeds, by name."""
    agreement: float | None = None
    """Mean adjusted Rand index between seeds."""
    samples: dict[str, Reconstructions] = field(default_factory=dict)
    """Reconstructions by encoder; the only ones of a row or run are under ""."""
    clusters: dict[str, np.ndarray] = field(default_factory=dict)
    """Clusters (N,) by clustering; the only ones of a row or run are under ""."""
    data_digest: str | None = None
    """SHA-256 over x.npy and split.npy; None where it is not known."""
    title: str = ""
    """What the data are called; empty where it is not known."""
    x: np.ndarray | None = None
    """All samples (N, ...) as stored; None where they are not here."""
    picture: bytes | None = None
    """A PNG that was logged to MLflow, for runs whose samples are not here."""
    uncached: dict[str, list[str]] = field(default_factory=dict)
    """Rows of which DVC's cache has no file, by what the file holds."""
    lacking: list[str] = field(default_factory=list)
    """Sentences on what else could not be read."""

    @property
    def missing(self) -> list[str]:
        """Sentences on all that could not be read."""
        files = []
        for what, keys in self.uncached.items():
            more = f" and {len(keys) - N_NAMED} more" if len(keys) > N_NAMED else ""
            files.append(f"{what} of {', '.join(keys[:N_NAMED])}{more}")
        return [f"{'; '.join(files)} ({UNCACHED})", *self.lacking] if files else self.lacking


def of_row(name: str, tree: Tree, key: str, dataset: str) -> Side:
    """A row of any section, as the pipeline left it."""
    side = Side(name, f"row {key} of {tree.name}", title=_title(tree))
    artifacts, results = f"artifacts/{dataset}", f"results/{dataset}"
    encoder = _add_params(side, tree, artifacts, key)
    side.metrics = _scores(tree, results, key)
    if not side.metrics:
        side.lacking.append(f"{results}: no scores of {key}; `dvc repro report` makes them")
    elif files := [f for f in SCORES if tree.file(f"{results}/{f}") is None]:
        side.uncached["scores"] = files
    for row in tree.rows(f"{results}/seeds.csv"):
        if row["clustering"] == key:
            _add_seeds(side, row)
            side.agreement = float(row["agreement"]) if row["agreement"] else None
    _add_samples(side, tree, artifacts, encoder, "")
    if encoder != key:
        _add_clusters(side, tree, artifacts, key, "")
    _add_data(side, tree, dataset)
    return side


def of_revision(name: str, tree: Tree) -> Side:
    """All rows of a commit at once, of the data set that its params.yaml names."""
    side, params = Side(name, tree.name, title=_title(tree)), tree.params()
    side.params = _strings(params)
    dataset = params.get("dataset", {}).get("name", "")
    summary = tree.json(f"results/{dataset}/summary.json")
    if summary is None:
        side.lacking.append(f"results/{dataset}/summary.json is not in {tree.name}")
    side.metrics = {k: float(v) for k, v in tracking.flat(summary or {}).items()}
    for row in tree.rows(f"results/{dataset}/seeds.csv"):
        _add_seeds(side, row, f"{row['clustering']}.")
    artifacts = f"artifacts/{dataset}"
    for key in [key for s in ("autoencoders", "searches") for key in params.get(s) or {}]:
        _add_samples(side, tree, artifacts, key, key)
    for key in [key for s in ("clusterings", "deep_clusterings") for key in params.get(s) or {}]:
        _add_clusters(side, tree, artifacts, key, key)
    configs = (tree.json(f"{artifacts}/encoders/{key}/config.json") for key in side.samples)
    side.data_digest = next((c["data_digest"] for c in configs if c), None)
    _add_data(side, tree, dataset)
    return side


def of_run(run: Any) -> Side:
    """An MLflow run; with samples and clusters where its result is that of the working tree.

    Args:
        run: result of `lookup.find`.
    """
    key, tags = run.info.run_name, run.data.tags
    name = f"{key} ({run.info.run_id[:8]})"
    commit = tags.get(provenance.COMMIT, "")[:10] or "no commit"
    what = f"MLflow run {run.info.run_id} of {key}, {run.info.status}, made at {commit}"
    if _is_in_working_tree(run):
        side = of_row(name, Tree(), key, tags.get("dataset", ""))
        side.what = f"{what}; its result is that of the working tree"
    else:
        side = Side(name, what, data_digest=tags.get(provenance.DATA))
        side.lacking.append(f"samples and clusters of {key} (the working tree has another result)")
        if pictures := sorted(f for f in lookup.files(run, "images") if PICTURE.fullmatch(f)):
            side.picture = lookup.artifact(run, pictures[-1])
        elif place := lookup.unreached(run):
            side.lacking.append(f"pictures of {key}, which {place}")
    side.params = {**side.params, **run.data.params}
    no_scores = ("seconds", system_metrics.PREFIX)
    scores = {k: v for k, v in run.data.metrics.items() if not k.startswith(no_scores)}
    if side.spread:  # has these means, and their deviations
        scores = {k: v for k, v in scores.items() if not k.startswith("seeds/")}
    side.metrics |= scores
    return side


def _title(tree: Tree) -> str:
    return title_of(tree.params().get("dataset") or {"name": ""})


def _is_in_working_tree(run: Any) -> bool:
    """Whether artifacts/ holds the result of this very run."""
    tags, key = run.data.tags, run.info.run_name
    artifacts = f"artifacts/{tags.get('dataset', '')}"
    is_clustering = tags.get("stage", "") == "cluster"
    place = _clustering(Tree(), artifacts, key) if is_clustering else f"{artifacts}/encoders/{key}"
    record = Tree().json(f"{place}/{FILE}") or {}
    return bool(record.get("identity", "") == tags.get(tracking.FINGERPRINT))


def _clustering(tree: Tree, artifacts: str, key: str) -> str:
    """The folder of a clustering; commits of the first edition have deep ones among the others."""
    deep = f"{artifacts}/deep_clusterings/{key}"
    is_deep = tree.json(f"{deep}/cluster.json") is not None
    return deep if is_deep else f"{artifacts}/clusterings/{key}"


def _add_params(side: Side, tree: Tree, artifacts: str, key: str) -> str:
    """Adds parameters of a row and its encoder; the encoder's key, which is an encoder's own."""
    info = tree.json(f"{_clustering(tree, artifacts, key)}/cluster.json")
    params = tree.params()
    clusterings = {**(params.get("clusterings") or {}), **(params.get("deep_clusterings") or {})}
    encoder: str = (info or clusterings.get(key) or {}).get("encoder", key)
    if info is not None:
        side.params = _strings({**info["row"], "n_clusters": info["n_clusters"]})
        side.params["seed"] = str(info["seed"])
    config = tree.json(f"{artifacts}/encoders/{encoder}/config.json")
    if config is not None:
        prefix = "encoder." if encoder != key else ""
        side.params |= {f"{prefix}{k}": v for k, v in _strings(config["row"]).items()}
        side.data_digest = config["data_digest"]
    if not side.params:
        side.params = _strings(tree.row(key))
    if config is None or (info is None and encoder != key):
        side.has_all_params = False
        side.uncached["default params"] = [key]
    return encoder


def _add_samples(side: Side, tree: Tree, artifacts: str, encoder: str, name: str) -> None:
    """Adds an encoder's reconstructions under a name, or that they are missing."""
    file = f"{artifacts}/encoders/{encoder}/samples.npz"
    x, x_hat = tree.array(file, "x"), tree.array(file, "reconstruction")
    if x is None or x_hat is None:
        side.uncached.setdefault("samples and reconstructions", []).append(encoder)
    else:
        side.samples[name] = Reconstructions(x, x_hat)


def _add_clusters(side: Side, tree: Tree, artifacts: str, key: str, name: str) -> None:
    """Adds a row's clusters under a name, or that they are missing."""
    clusters = tree.array(f"{_clustering(tree, artifacts, key)}/clusters.npz", "clusters")
    if clusters is None:
        side.uncached.setdefault("clusters", []).append(key)
    else:
        side.clusters[name] = clusters


def _add_data(side: Side, tree: Tree, dataset: str) -> None:
    """Adds all samples to a side that has clusters, or that they are missing."""
    if side.clusters:
        side.x = tree.array(f"data/{dataset}/x.npy")
        if side.x is None:
            side.uncached["x.npy"] = [f"data/{dataset}"]


def _add_seeds(side: Side, row: dict[str, str], prefix: str = "") -> None:
    """Adds a line of seeds.csv."""
    for score in OVER_SEEDS:
        mean, sd = row[f"{score}_mean"], row[f"{score}_sd"]
        if mean and sd:
            spread = Spread(float(mean), float(sd), int(row["n_seeds"]))
            side.spread[prefix + score] = spread


def _scores(tree: Tree, results: str, key: str) -> dict[str, float]:
    """A row's scores under the keys that MLflow's runs have."""
    scores: dict[str, float] = {}
    for file, column in (("autoencoders", "autoencoder"), ("clusterings", "clustering")):
        for row in tree.rows(f"{results}/{file}.csv"):
            if row[column] == key and row["split"] in SPLITS:
                scores |= {f"{row['split']}/{k}": v for k, v in _numbers(row).items()}
    for row in tree.rows(f"{results}/codes.csv"):
        if row["autoencoder"] == key:
            for name, value in _numbers(row).items():
                scores[f"{'test' if name in TEST_SCORES else 'code'}/{name}"] = value
    return scores


def _numbers(row: dict[str, str]) -> dict[str, float]:
    """The scores of a line of a CSV; one that is not defined is left out."""
    return {k: float(v) for k, v in row.items() if k not in NO_SCORES and v}


def _strings(params: dict[str, Any]) -> dict[str, str]:
    """Parameters as MLflow has them: dotted keys, values as strings."""
    return {key: str(value) for key, value in tracking.flat(params).items()}
