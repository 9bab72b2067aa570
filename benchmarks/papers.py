"""Rows of params.yaml on all 70,000 pictures of MNIST or Fashion-MNIST, as papers report them.

    python benchmarks/papers.py mnist [--rows pca-umap-gmm ...] [--seeds 0 1 2]

k is given, the last epoch counts, every picture is clustered and scored, no label is used for any
choice; encoders learn from 90 % of the pictures. A line for each row and seed is added to
benchmarks/results/papers.csv; lines that are there already are not measured again. NARROWS_WORKERS
says how many are measured at once. CHANGES says how rows differ from params.yaml, which is written
for 5,000 pictures. The teachers of a student with seed s are the row TEACHER under the seeds 3s,
3s + 1 and 3s + 2, whose lines are added, too; their clusters wait in .work/papers for it. The row
`committee` is no row of params.yaml: the name that most of a student and its teachers give.
"""

import argparse
import copy
import csv
import functools
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import benched
import filelock
import numpy as np

from narrows import engine
from narrows.clustering import matching, metrics, refine
from narrows.clustering.agreement import agreed
from narrows.clustering.job import Job
from narrows.clustering.state import hardened, one_hot
from narrows.config import inheritance, params, plugins, search_space, yaml_file
from narrows.config.sections import DeepClustering
from narrows.data import prepared, splits
from narrows.models import encoders
from narrows.models.autoencoder import Autoencoder, encode_all
from narrows.training import fitting

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks/results/papers.csv"
WORK = ROOT / ".work/papers"
K = 10
TEACHER, N_TEACHERS = "affine-conv-self-label", 3
VOTE = "committee"
EPOCHS = {"denoising-conv": 5, "affine-conv": 5, "deep": 10}
STEPS = 70_000 // 256  # of an epoch of a student
STUDENT = {  # of the size that supervised networks for these pictures have
    "network": {
        **{"name": "conv", "channels": [32, 64, 128], "convolutions": 2},
        **{"activation": "relu", "batch_norm": True, "dropout": 0.3},
    },
    "code_size": 128,
    "code_activation": "relu",
    "train": {
        **{"epochs": 1, "batch_size": 64, "patience": None, "precision": "auto"},
        **{"optimizer": {"name": "adam", "lr": 3e-3}, "schedule": {"name": "cosine"}},
    },
}
TEACHING = {
    "method.batch_size": 256,
    "method.interval": 8 * STEPS,
    "method.optimizer.lr": 3e-3,
    "augmentation": {
        **{"name": "affine", "rotation": 20, "shift": 0.1, "scale": 0.15},
        **{"shear": 0.2, "elastic": 0.06},
    },
}
CHANGES = {f"autoencoders.{key}.train.epochs": n for key, n in EPOCHS.items()} | {
    "baselines.pca.code_size": 50,  # as in the literature
    "cluster_on": "all",
    **{f"autoencoders.affine-conv-wide.{key}": value for key, value in STUDENT.items()},
    **{f"deep_clusterings.student.{key}": value for key, value in TEACHING.items()},
}
for key in ("denoising-conv-self-label", TEACHER):
    CHANGES[f"deep_clusterings.{key}.method.interval"] = 490 * 6  # six epochs
    CHANGES[f"deep_clusterings.{key}.method.max_updates"] = 1
    CHANGES[f"deep_clusterings.{key}.start.n_epochs"] = 50  # 200 are twice the seconds of a map
for key in ("deep-dec", "denoising-conv-idec"):
    CHANGES[f"deep_clusterings.{key}.start"] = {"name": "umap_gmm"}
    CHANGES[f"deep_clusterings.{key}.method.interval"] = 245  # an epoch
SCORES = ("dataset", "row", "seed", "acc", "nmi", "ari", "seconds", "cpu_seconds")
FIELDS = [*SCORES, "commit", "processor"]  # empty in lines from before both were recorded


def load(dataset: str) -> tuple[prepared.Prepared, np.ndarray]:
    """All pictures, split, and their labels."""
    module, raw = plugins.load("datasets", dataset), ROOT / "data" / dataset / "raw"
    module.fetch(module.Config(), raw)
    data = module.load(module.Config(), raw)
    split = splits.assign(len(data.x), None, 0.05, 0.05, 0)  # test and validation: not learnt from
    return prepared.Prepared(dataset, data.x, split, ""), data.labels


def rows() -> params.Params:
    """params.yaml with `CHANGES`."""
    raw = inheritance.written_out(yaml_file.read(ROOT / "params.yaml"))
    return params.from_dict(search_space.changed(copy.deepcopy(raw), CHANGES))


def measured() -> list[dict[str, Any]]:
    """The lines of benchmarks/results/papers.csv."""
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="") as stream:
        return list(csv.DictReader(stream))


def measure(
    p: params.Params,
    key: str,
    seed: int,
    data: prepared.Prepared,
    teachers: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Clusters (N,) of a row whose encoder is fitted under the same seed."""
    if key == VOTE:
        return voted(teachers)
    if key in p.deep_clusterings:
        names = agreed(teachers) if teachers else None
        return refined(p, p.deep_clusterings[key], seed, data, names)
    row = p.clusterings[key]
    if row.encoder in p.baselines:
        _, codes = encoders.fit_baseline(p.baselines[row.encoder], data, seed)
    else:
        codes = encode_all(trained(p, row.encoder, seed, data), data.samples())
    z, clusterer = codes.astype(np.float32, copy=False), row.clusterer
    fitted = z[splits.mask(data.split, p.cluster_on)]
    state = clusterer.module.fit(clusterer.config, fitted, K, seed)
    clusters: np.ndarray = clusterer.module.predict(state, z)
    return clusters


def voted(clusterings: Sequence[np.ndarray]) -> np.ndarray:
    """The cluster (N,) that most of them give each sample, under the numbers of the first; of
    equals that of the first."""
    first, *others = clusterings
    same = [matching.renumbering(other, first, K)[other] for other in others]
    votes = sum((one_hot(own, K) for own in same), 1.5 * one_hot(first, K))
    clusters: np.ndarray = votes.argmax(axis=1)
    return clusters


def trained(p: params.Params, key: str, seed: int, data: prepared.Prepared) -> Autoencoder:
    """The autoencoder of a row."""
    train, val = data.samples("train"), data.samples("val")
    row = p.autoencoders[key]
    return fitting.fit(row, train, val, seed=seed, device=p.device).model.cpu()


def refined(
    p: params.Params,
    row: DeepClustering,
    seed: int,
    data: prepared.Prepared,
    names: np.ndarray | None,
) -> np.ndarray:
    """Clusters (N,) of a row of `deep_clusterings`, which begins with `names` if there are any."""
    with tempfile.TemporaryDirectory() as work:
        job = Job(
            x=data.samples(),
            fitted=splits.mask(data.split, p.cluster_on),
            model=trained(p, row.encoder, seed, data),
            start=row.start,
            n_clusters=K,
            augmentation=row.augmentation,
            seed=seed,
            device=p.device,
            work=Path(work),
            names=names,
        )
        return hardened(refine.refine(row.method, job).soft)


def committee(p: params.Params, key: str, seed: int) -> list[tuple[str, int]]:
    """Rows and seeds whose clusters a row reads; empty for a row without teachers."""
    if key == VOTE:
        return [("student", seed), *committee(p, "student", seed)]
    if key not in p.deep_clusterings or not p.deep_clusterings[key].teachers:
        return []
    return [(TEACHER, N_TEACHERS * seed + n) for n in range(N_TEACHERS)]


def wave_of(p: params.Params, key: str) -> int:
    """How many rows have to be there before a row, one after the other."""
    return max((1 + wave_of(p, member) for member, _ in committee(p, key, 0)), default=0)


def clusters_file(dataset: str, key: str, seed: int) -> Path:
    """Clusters (N,) of a row that has been measured."""
    return WORK / f"{dataset}-{key}-{seed}.npy"


def record(dataset: str, task: tuple[str, int]) -> dict[str, Any]:
    """Measures a row under a seed and adds its line to benchmarks/results/papers.csv."""
    (key, seed), p, (data, labels) = task, rows(), load(dataset)
    teachers = [np.load(clusters_file(dataset, *other)) for other in committee(p, key, seed)]
    wall, cpu = time.perf_counter(), time.process_time()
    clusters = measure(p, key, seed, data, teachers)
    line = {
        "dataset": dataset,
        "row": key,
        "seed": seed,
        "acc": metrics.accuracy(labels, clusters, matching.pairs(labels, clusters)),
        "nmi": metrics.nmi(labels, clusters),
        "ari": metrics.ari(labels, clusters),
        "seconds": round(time.perf_counter() - wall),
        "cpu_seconds": round(time.process_time() - cpu),
        "commit": commit(),
        "processor": processor(),
    }
    WORK.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(WORK / "lock"):
        lines = [other for other in measured() if named(other) != named(line)]
        with RESULTS.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, FIELDS, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows([*lines, line])
    np.save(clusters_file(dataset, key, seed), clusters)
    return line


def commit() -> str:
    """The commit of this checkout; `-dirty` follows where its code was changed since."""

    def said(*words: str) -> str:
        return subprocess.run(("git", *words), cwd=ROOT, capture_output=True, text=True).stdout

    is_changed = said("status", "--porcelain", "--", "src", "params.yaml", "benchmarks/*.py")
    return said("rev-parse", "--short=12", "HEAD").strip() + ("-dirty" if is_changed else "")


def processor() -> str:
    about = benched.machine(threads=1)
    return f"{about['cpu']}, {'with' if about['bf16'] else 'without'} bf16"


def named(line: dict[str, Any]) -> tuple[str, str, str]:
    """Data set, row and seed of a line."""
    return line["dataset"], line["row"], str(line["seed"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", choices=("mnist", "fashion_mnist"))
    parser.add_argument("--rows", nargs="+", default=["pca-umap-gmm", "denoising-conv-self-label"])
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(10)))
    options = parser.parse_args()
    p, there = rows(), {named(line) for line in measured()}
    load(options.dataset)  # fetches it
    missing = [(key, seed) for key in options.rows for seed in options.seeds]
    missing = [task for task in missing if (options.dataset, task[0], str(task[1])) not in there]
    members = {member for task in missing for member in committee(p, *task)}
    members = {m for m in members if not clusters_file(options.dataset, *m).exists()}
    waves: dict[int, list[tuple[str, int]]] = {0: [], 1: [], 2: []}
    for task in sorted({*members, *missing}, key=lambda task: task[1]):
        waves[wave_of(p, task[0])].append(task)
    for wave in waves.values():
        for outcome in engine.each(functools.partial(record, options.dataset), wave):
            if outcome.error:
                raise outcome.error
            print(outcome.value, flush=True)


if __name__ == "__main__":
    main()
