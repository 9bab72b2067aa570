"""The protocol of the documents, with rows of params.yaml: K-means on pixels, an autoencoder with
K-means, deep embedded clustering.

    python benchmarks/documents.py [--seeds 0 1 2] [--epochs 500] [--bf16]

49,000 pictures drawn from all 70,000 of MNIST, which the documents had as files with labels beside
others without; 34,300 to learn from and 14,700 to validate; 784-500-500-2000-10 with MSE, batches
of 2048, 500 epochs of Adam at 1e-3. A line of the documents' own figures and one per seed go to
src/narrows/report/documents.csv. Killed, it goes on where it was.
"""

import argparse
import csv
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from textbook import pictures, row

from narrows.clustering import metrics, refine
from narrows.clustering.job import Job
from narrows.clustering.state import hardened
from narrows.config import params
from narrows.config.plugins import Plugin, load, resolved, selected
from narrows.models.autoencoder import Autoencoder, encode_all
from narrows.store import code
from narrows.store.digests import name_of
from narrows.store.rows import CHECKPOINTS
from narrows.training import fitting

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "src/narrows/report/documents.csv"
Record = dict[str, Any]  # a line of documents.csv
THEIRS: Record = {
    "seed": "documents",
    "epochs": 500,
    "precision": "fp32",
    "nmi_pixels": 0.4978,
    "val_mse": 0.0138,  # sigmoid code, last epoch
    "best_val_mse": None,  # of the weights that narrows keeps
    "nmi_autoencoder": 0.7436,
    "train_mse": 0.0085,  # linear code
    "nmi_dec": 0.7652,
    "iterations": 3400,
}
KMEANS = Plugin("clusterers", "kmeans", load("clusterers", "kmeans").Config(n_init=20))
DEC: dict[str, Any] = {
    "name": "dec",
    "batch_size": 2048,
    "optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9},
    "interval": 200,
    "max_updates": 40,
    "tolerance": 0.001,
}
N_ROWS, N_TRAIN, K = 49_000, 34_300, 10


class Protocol:
    """One seed: the split, the weights and the clusterers are drawn by it."""

    def __init__(self, x: np.ndarray, labels: np.ndarray, seed: int, options: argparse.Namespace):
        order = np.random.default_rng(seed).permutation(len(x))[:N_ROWS]
        self.train, self.val = (torch.from_numpy(x[rows]) for rows in np.split(order, [N_TRAIN]))
        self.labels = labels[order[N_TRAIN:]]
        self.seed, self.options = seed, options
        self.precision = "bf16" if options.bf16 else "fp32"
        self.record: Record = {"seed": seed, "epochs": options.epochs, "precision": self.precision}

    def pixels(self) -> None:
        flat = [x.flatten(1).numpy() / np.float32(255) for x in (self.train, self.val)]
        self.record["nmi_pixels"] = self.nmi(*flat)

    def autoencoder(self) -> None:
        fitted = self.pretrained("deep-sigmoid")
        self.record["val_mse"] = fitted.history[-1]["val/loss"]
        self.record["best_val_mse"] = fitted.history[fitted.best_epoch - 1]["val/loss"]
        codes = [encode_all(fitted.model.cpu(), x) for x in (self.train, self.val)]
        self.record["nmi_autoencoder"] = self.nmi(*codes)

    def dec(self) -> None:
        fitted = self.pretrained("deep")
        self.record["train_mse"] = fitted.history[-1]["train/loss"]
        method = params.plugin("deep_clusterers", DEC)
        job = Job(
            x=torch.cat([self.train, self.val]),
            fitted=np.arange(N_ROWS) < N_TRAIN,
            model=fitted.model.cpu(),
            start=KMEANS,
            n_clusters=K,
            augmentation=Plugin("corruptions", "none", load("corruptions", "none").Config()),
            seed=self.seed,
            device="auto",
            work=self.checkpoints("dec", [DEC, fitted.history], [method]),
            on_update=lambda update, health: print(update, health["label_change"], flush=True),
        )
        refined = refine.refine(method, job)
        self.record["nmi_dec"] = metrics.nmi(self.labels, hardened(refined.soft)[N_TRAIN:])
        self.record["iterations"] = DEC["interval"] * (len(refined.history) - 1)

    def nmi(self, z: np.ndarray, z_val: np.ndarray) -> float | None:
        state = KMEANS.module.fit(KMEANS.config, z, K, self.seed)
        return metrics.nmi(self.labels, KMEANS.module.predict(state, z_val))

    def pretrained(self, key: str) -> fitting.Fitted:
        changes = {
            "train.epochs": self.options.epochs,
            "train.batch_size": 2048,
            "train.patience": None,
            "train.precision": self.precision,
            "train.optimizer": {"name": "keras_adam", "lr": 1e-3},
            "train.schedule": {"name": "none"},
        }

        def on_epoch(
            epoch: int, metrics: dict[str, float], model: Autoencoder, layer: int = 0
        ) -> None:
            if epoch % 10 == 0 and metrics:
                print(f"seed {self.seed}, {key}, epoch {epoch}: {metrics}", flush=True)

        chosen = row(key, changes)
        folder = self.checkpoints(key, resolved(chosen), list(selected(chosen)))
        return fitting.fit(
            chosen, self.train, self.val, seed=self.seed, work=folder, on_epoch=on_epoch
        )

    def checkpoints(self, key: str, settings: Any, parts: list[Plugin]) -> Path:
        """Folder of unfinished work with these settings, on these pictures, with today's code."""
        pixels = torch.cat([self.train, self.val]).numpy().tobytes()
        modules = [part.module_name for part in parts]
        programs = code.digest([fitting.__name__, refine.__name__, *modules])
        record = [settings, self.seed, hashlib.sha256(pixels).hexdigest(), programs]
        return ROOT / CHECKPOINTS / f"documents-{key}-{name_of(record)[:32]}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the documents' protocol on MNIST.")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--bf16", action="store_true", help="trains in mixed precision")
    options = parser.parse_args()
    data = pictures()
    seeds = [Protocol(data.x, data.labels, seed, options) for seed in options.seeds]
    for part in (Protocol.pixels, Protocol.autoencoder, Protocol.dec):
        for seed in seeds:
            part(seed)
            print(seed.record, flush=True)
            with RESULTS.open("w", newline="") as stream:
                writer = csv.DictWriter(stream, list(THEIRS), lineterminator="\n")
                writer.writeheader()
                writer.writerows([THEIRS, *(seed_run.record for seed_run in seeds)])


if __name__ == "__main__":
    main()
