"""What the earlier stages left on disk -> the lines of the results files.

Labels meet clusters and codes here and nowhere else. The matching of a clustering's clusters to
labels is fitted on the train split and applied to validation and test; probes of codes learn from
the train split and are scored on test.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from narrows.clustering import matching, metrics, neighbours, votes
from narrows.clustering.votes import Voters
from narrows.data import blocks, splits
from narrows.evaluation import probes
from narrows.report.artifacts import LabelledData, ReportedClustering, ReportedEncoder
from narrows.store.files import write_csv

Row = dict[str, Any]  # a line of a results file by column; None where a score is not defined
CODE = ("mean", "zeros_fraction", "active_units", "dead_units", "jacobian_norm")
PROBES = ("linear_probe", "knn", "precision_1", "precision_5", "precision_10")
VARIATIONAL = ("elbo", "reconstruction", "kl", "active_units", "nll")
SEEDS = (
    *("acc_mean", "acc_sd", "nmi_mean", "nmi_sd"),
    *("chosen", "acc_chosen", "best", "acc_best", "gap"),
)
SEED_COLUMNS = ("clustering", "n_seeds", "agreement", *SEEDS)
ROBUSTNESS_COLUMNS = ("autoencoder", "corruption", "psnr_in", "psnr_out")
VARIATIONAL_COLUMNS = ("autoencoder", *VARIATIONAL)
MAX_PCA_SIZE = 256  # principal components whose errors are compared
MAX_PCA_ROWS = 10_000  # samples that they are fitted on


@dataclass(frozen=True)
class Tables:
    """The lines of every results file."""

    autoencoders: Sequence[Row]
    """Lines of autoencoders.csv: encoders, baselines included, by split."""
    clusterings: Sequence[Row]
    """Lines of clusterings.csv: clusterings by split, and over all samples."""
    n_clusters: Sequence[Row]
    """Lines of n_clusters.csv: scores by number of clusters."""
    codes: Sequence[Row]
    """Lines of codes.csv, by encoder."""
    robustness: Sequence[Row]
    """Lines of robustness.csv: encoders by corruption."""
    variational: Sequence[Row]
    """Lines of variational.csv: encoders that have a bound on the likelihood."""
    seeds: Sequence[Row]
    """Lines of seeds.csv: clusterings that were repeated under other seeds."""


def autoencoder_rows(encoders: Sequence[ReportedEncoder]) -> list[Row]:
    """Lines of autoencoders.csv: one per encoder, baselines included, and split."""
    return [
        {
            "autoencoder": encoder.key,
            "input": encoder.input,
            "split": split,
            "code_size": encoder.train["code_size"],
            "n_parameters": encoder.train["n_parameters"],
            **{
                name: encoder.train["splits"][split][name]
                for name in ("mse", "bce", "psnr", "ssim")
            },
            "epochs_run": encoder.train["epochs_run"],
            "seconds": encoder.train["seconds"],
            "seed": encoder.train["seed"],
        }
        for encoder in encoders
        for split in splits.NAMES
    ]


def clustering_rows(
    clustering: ReportedClustering, data: LabelledData, voters: Mapping[str, Voters], seed: int
) -> list[Row]:
    """Lines of clusterings.csv for one clustering: one per split, and one over all samples.

    The silhouette and the votes of neighbours are measured between the same points for every
    clustering: in every encoder's own space the values would not compare.

    Args:
        voters: by split on whose samples they vote.
    """
    return [
        {
            "clustering": clustering.key,
            "encoder": clustering.encoder,
            "clusterer": clustering.clusterer,
            "split": split,
            **clustering_scores(data, clustering.clusters, split, seed),
            "neighbours": votes.neighbours(clustering.clusters, voters[split])
            if split in voters
            else None,
            "seconds": clustering.info["seconds"],
            "seed": clustering.info["seed"],
        }
        for split in (*splits.NAMES, "all")
    ]


def seed_row(data: LabelledData, key: str, by_seed: Mapping[int, np.ndarray]) -> Row:
    """The line of seeds.csv for one clustering: over all samples, matched to labels seed by seed.

    `chosen` is the seed whose clusters agree most with those of the others, by the mean of their
    adjusted Rand indices: a medoid, found without a label. `best` is what labels would have
    chosen, and `gap` what they would have gained. Deviations are of a sample (n - 1).
    """
    seeds = list(by_seed)
    agree = np.array([[metrics.ari(by_seed[a], by_seed[b]) or 0.0 for b in seeds] for a in seeds])
    others = (agree.sum(axis=1) - agree.diagonal()) / max(1, len(seeds) - 1)
    chosen = seeds[int(others.argmax())]
    row: Row = {"clustering": key, "n_seeds": len(seeds), "agreement": float(others.mean())}
    row |= dict.fromkeys(SEEDS)
    row["chosen"] = chosen
    if data.labels is None:
        return row
    pairs = {seed: matching.pairs(data.labels, by_seed[seed]) for seed in seeds}
    acc = {s: metrics.accuracy(data.labels, by_seed[s], pairs[s]) for s in seeds}
    nmi = [metrics.nmi(data.labels, by_seed[s]) or 0.0 for s in seeds]
    best = max(seeds, key=lambda seed: acc[seed])
    spread = len(seeds) > 1
    return row | {
        "acc_mean": float(np.mean(list(acc.values()))),
        "acc_sd": float(np.std(list(acc.values()), ddof=1)) if spread else None,
        "nmi_mean": float(np.mean(nmi)),
        "nmi_sd": float(np.std(nmi, ddof=1)) if spread else None,
        "acc_chosen": acc[chosen],
        "best": best,
        "acc_best": acc[best],
        "gap": acc[best] - acc[chosen],
    }


def code_row(encoder: ReportedEncoder, data: LabelledData, seed: int) -> Row:
    """The line of codes.csv for one encoder. Probes are None without labels."""
    return {
        "autoencoder": encoder.key,
        "code_size": encoder.train["code_size"],
        **{name: encoder.evaluation.scores["code"][name] for name in CODE},
        **_probes(data, encoder, seed),
        "seed": encoder.train["seed"],
    }


def robustness_rows(encoders: Sequence[ReportedEncoder]) -> list[Row]:
    """Lines of robustness.csv: one per encoder and corruption."""
    return [
        {"autoencoder": encoder.key, "corruption": corruption, **psnr}
        for encoder in encoders
        for corruption, psnr in encoder.evaluation.scores["robustness"].items()
    ]


def variational_rows(encoders: Sequence[ReportedEncoder]) -> list[Row]:
    """Lines of variational.csv: one per encoder that has a bound on the likelihood."""
    return [
        {"autoencoder": encoder.key, **{name: bound[name] for name in VARIATIONAL}}
        for encoder in encoders
        if (bound := encoder.evaluation.scores["variational"]) is not None
    ]


def nearest_codes(
    data: LabelledData, encoder: ReportedEncoder, n_queries: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Test rows (N,) and the train rows (N, 10) of the codes nearest to theirs, nearest first.

    At most `n_queries` among at most 10,000 train rows, the same for every encoder.
    """
    train = blocks.subset(np.flatnonzero(data.mask("train")), probes.MAX_TRAIN_ROWS, seed)
    queries = blocks.subset(np.flatnonzero(data.mask("test")), n_queries, seed)
    z = encoder.codes
    return queries, train[neighbours.nearest(z[train], z[queries], probes.N_NEIGHBOURS)]


def pca_errors(data: LabelledData, seed: int) -> np.ndarray:
    """Test MSE of the principal components' best linear codes of 1, 2, ... numbers.

    Up to 256 numbers, of components fitted on at most 10,000 train rows. What the first k leave
    of a sample is its squared length less that of its first k coordinates (Pythagoras).
    """
    from sklearn.decomposition import PCA

    n_rows = blocks.n_in_memory(data.x.shape[1:])
    train = blocks.subset(np.flatnonzero(data.mask("train")), min(n_rows, MAX_PCA_ROWS), seed)
    x, test = (
        data.unit(train),
        data.unit(blocks.subset(np.flatnonzero(data.mask("test")), n_rows, seed)),
    )
    x, test = (samples.reshape(len(samples), -1) for samples in (x, test))
    pca = PCA(min(*x.shape, MAX_PCA_SIZE), random_state=seed).fit(x)
    left = np.square(test - pca.mean_, dtype=np.float64).sum()
    explained = np.square(pca.transform(test), dtype=np.float64).sum(axis=0).cumsum()
    return np.maximum(left - explained, 0) / test.size


def updates(data: LabelledData, clustering: ReportedClustering) -> dict[str, np.ndarray]:
    """ACC and NMI over all samples at every update of a deep clustering, two arrays (T,).

    ACC is matched at each update anew: what a paper would report had it stopped there.
    """
    assert clustering.assignments is not None
    assert data.labels is not None
    acc, nmi = [], []
    for clusters in clustering.assignments.astype(int):
        pairs = matching.pairs(data.labels, clusters)
        acc.append(metrics.accuracy(data.labels, clusters, pairs))
        nmi.append(metrics.nmi(data.labels, clusters) or 0.0)
    return {"ACC": np.array(acc), "NMI": np.array(nmi)}


def train_pairs(data: LabelledData, clusters: np.ndarray) -> dict[int, int]:
    """{cluster: label} fitted on the train split; empty without labels."""
    if data.labels is None:
        return {}
    train = data.mask("train")
    return matching.pairs(data.labels[train], clusters[train])


def ranked(rows: Sequence[Row], labelled: bool) -> list[Row]:
    """Best first: by ACC, without labels by the votes of neighbours; undefined scores come last."""
    score = "acc" if labelled else "neighbours"
    return sorted(rows, key=lambda row: math.inf if row[score] is None else -row[score])


def finding(ranking: Sequence[Row], baselines: Collection[str]) -> dict[str, Any] | None:
    """The best clustering of a learned code and of a baseline's, of how many, and the ACC gained.

    None where there is only one kind.

    Args:
        ranking: lines of clusterings.csv on the test split, best first.
    """
    learned = [row for row in ranking if row["encoder"] not in baselines]
    plain = [row for row in ranking if row["encoder"] in baselines]
    if not (learned and plain):
        return None
    return {
        "learned": learned[0],
        "baseline": plain[0],
        "n_learned": len(learned),
        "n_baseline": len(plain),
        "gain": learned[0]["acc"] - plain[0]["acc"],
    }


def write(tables: Tables, folder: Path) -> None:
    """Every results file; those that may have no line have their header all the same."""
    write_csv(folder / "autoencoders.csv", tables.autoencoders)
    write_csv(folder / "clusterings.csv", tables.clusterings)
    write_csv(folder / "n_clusters.csv", tables.n_clusters)
    write_csv(folder / "codes.csv", tables.codes)
    write_csv(folder / "robustness.csv", tables.robustness, ROBUSTNESS_COLUMNS)
    write_csv(folder / "variational.csv", tables.variational, VARIATIONAL_COLUMNS)
    write_csv(folder / "seeds.csv", tables.seeds, SEED_COLUMNS)


def summary(tables: Tables) -> dict[str, Any]:
    """All scores by row, for whoever reads them by program, and for `narrows compare`."""
    nested: dict[str, Any] = {"autoencoders": {}, "clusterings": {}, "codes": {}}
    for row in tables.autoencoders:
        if row["split"] != "train":
            nested["autoencoders"].setdefault(row["autoencoder"], {})[row["split"]] = scores(row)
    for row in tables.clusterings:
        if row["split"] == "test":
            nested["clusterings"][row["clustering"]] = scores(row)
    for row in tables.codes:
        nested["codes"][row["autoencoder"]] = scores(row)
    return nested


def scores(row: Row) -> dict[str, float]:
    """The defined scores of a row, to five significant digits."""
    of_encoders = ("mse", "bce", "psnr", "ssim", "linear_probe", "knn")
    of_clusters = ("silhouette", "neighbours", "coverage")
    names = (*of_encoders, "acc", "acc_covered", "nmi", "ari", "purity", *of_clusters)
    defined = {name: float(f"{row[name]:.5g}") for name in names if row.get(name) is not None}
    if "n_clusters_found" in row:
        defined["n_clusters_found"] = row["n_clusters_found"]
    return defined


def encoder_metrics(key: str, tables: Tables) -> dict[str, float]:
    """Scores that stage `report` adds to an encoder's MLflow run, the defined ones."""
    metrics: dict[str, float | None] = {}
    for row in tables.codes:
        if row["autoencoder"] == key:
            metrics |= {f"code/{name}": row[name] for name in CODE}
            metrics |= {f"test/{name}": row[name] for name in PROBES}
    for row in tables.robustness:
        if row["autoencoder"] == key:
            metrics[f"robustness/{row['corruption']}"] = row["psnr_out"]
            metrics[f"corrupted/{row['corruption']}"] = row["psnr_in"]
    for row in tables.variational:
        if row["autoencoder"] == key:
            metrics |= {f"vae/{name}": row[name] for name in VARIATIONAL}
    return {name: float(value) for name, value in metrics.items() if value is not None}


def clustering_metrics(key: str, tables: Tables) -> dict[str, float]:
    """Scores that stage `report` adds to a clustering's MLflow run, the defined ones."""
    metrics: dict[str, float] = {}
    for row in tables.clusterings:
        if row["clustering"] == key:
            values = scores(row)
            metrics |= {f"{row['split']}/{name}": value for name, value in values.items()}
            if row["split"] == "test" and "acc" in values:
                metrics["cluster/acc"] = values["acc"]
    for row in tables.seeds:
        if row["clustering"] == key:
            values = {name: row[name] for name in SEEDS if row[name] is not None}
            metrics |= {f"seeds/{name}": float(value) for name, value in values.items()}
    return metrics


def _probes(data: LabelledData, encoder: ReportedEncoder, seed: int) -> Row:
    """How well labels can be read off the codes of test samples; None without labels."""
    if data.labels is None:
        return dict.fromkeys(PROBES)
    train, test = data.mask("train"), data.mask("test")
    z, labels = encoder.codes, data.labels
    known = blocks.subset(np.flatnonzero(train), probes.MAX_TRAIN_ROWS, seed)
    linear = probes.linear_probe(z[known], labels[known], z[test], labels[test], seed)
    queries, rows = nearest_codes(data, encoder, probes.MAX_QUERIES, seed)
    own, nearest = labels[queries], labels[rows]  # (N,), (N, 10)
    return {
        "linear_probe": linear,
        "knn": probes.knn_accuracy(nearest, own),
        **{f"precision_{k}": probes.precision_at(nearest, own, k) for k in (1, 5, 10)},
    }


def clustering_scores(data: LabelledData, clusters: np.ndarray, split: str, seed: int) -> Row:
    """Scores of clusters (N,) on the samples of one split, or of "all"; None where undefined."""
    chosen = data.mask(split)
    pairs = train_pairs(data, clusters)
    points = data.points.reshape(len(data.x), -1)  # only rows that are drawn are read
    silhouette = metrics.silhouette(points, np.where(chosen, clusters, matching.NOISE), seed)
    blocks.forget(data.points)
    clusters = clusters[chosen]
    row: Row = {"n": len(clusters)}
    row |= dict.fromkeys(("nmi", "acc", "ari", "purity", "acc_covered"))
    if data.labels is not None:
        labels = data.labels[chosen]
        row["nmi"] = metrics.nmi(labels, clusters)
        row["acc"] = metrics.accuracy(labels, clusters, pairs)
        covered = clusters != matching.NOISE
        if covered.any():
            row["acc_covered"] = metrics.accuracy(labels[covered], clusters[covered], pairs)
        row["ari"] = metrics.ari(labels, clusters)
        row["purity"] = metrics.purity(labels, clusters)
    row["silhouette"] = silhouette
    row["coverage"] = metrics.coverage(clusters)
    row["n_clusters_found"] = len(np.unique(clusters[clusters != matching.NOISE]))
    return row
