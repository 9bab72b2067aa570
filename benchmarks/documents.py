"""The protocol of the documents, with rows of params.yaml: K-means on pixels, an autoencoder with
K-means, deep embedded clustering.

    python benchmarks/documents.py [--seeds 0 1 2] [--epochs 500] [--constant] [--bf16]

The first 49,000 pictures of MNIST, 34,300 to learn from and 14,700 to validate; 784-500-500-2000-10
with MSE, batches of 2048, 500 epochs of Adam. The rate is 2e-3 and falls along half a cosine, or
stays at 1e-3 as theirs did. A line of the documents' own figures and one per seed go to
results/documents/seeds.csv. Killed, it goes on where it was.
"""

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
import torch
from textbook import pictures, row

from narrows import metrics, params, refinement, start, training, work
from narrows.model import encode_all
from narrows.plugins import Plugin, load

ROOT = Path(__file__).parent.parent
THEIRS: dict[str, Any] = {
    "seed": "documents",
    "epochs": 500,
    "rate": "constant",
    "val_mse": 0.0138,  # sigmoid code
    "train_mse": 0.0085,  # linear code
    "nmi_pixels": 0.4978,
    "nmi_autoencoder": 0.7436,
    "nmi_dec": 0.7652,
    "iterations": 3400,
}
KMEANS = Plugin("clusterers", "kmeans", load("clusterers", "kmeans").Config(n_init=20))
DEC = {
    "name": "dec",
    "batch_size": 2048,
    "optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9},
    "interval": 200,
    "max_updates": 40,
    "tolerance": 0.001,
}
N_ROWS, N_TRAIN, K = 49_000, 34_300, 10


def measured(
    x: np.ndarray, labels: np.ndarray, seed: int, asked: argparse.Namespace
) -> dict[str, Any]:
    """One line of results/documents/seeds.csv."""
    order = np.random.default_rng(seed).permutation(N_ROWS)
    train, val = torch.from_numpy(x[order[:N_TRAIN]]), torch.from_numpy(x[order[N_TRAIN:]])
    told = labels[order[N_TRAIN:]]
    kind = ("constant" if asked.constant else "falling") + ("-bf16" if asked.bf16 else "")
    folder = ROOT / ".work/documents" / f"{seed}-{asked.epochs}-{kind}"
    changes = {
        "network.start": "fan_in",
        "train.epochs": asked.epochs,
        "train.batch_size": 2048,
        "train.patience": None,
        "train.optimizer": {"name": "adam", "lr": 1e-3 if asked.constant else 2e-3},
        "train.schedule": {"name": "none" if asked.constant else "cosine"},
    }

    def pretrained(key: str) -> training.Fitted:
        def on_epoch(epoch: int, found: dict[str, float], *_: Any, **__: Any) -> None:
            if epoch % 10 == 0 and found:
                print(f"seed {seed}, {key}, epoch {epoch}: {found}", flush=True)

        # the cache would keep the first step's weights for as long as the context lasts
        lower = torch.autocast("cpu", torch.bfloat16, asked.bf16, cache_enabled=False)
        with lower:
            return training.fit(row(key, changes), train, val, seed, "auto", folder / key, on_epoch)

    def nmi(z: np.ndarray, z_val: np.ndarray) -> float:
        state = KMEANS.module.fit(KMEANS.config, z, K, seed)
        return metrics.nmi(told, KMEANS.module.predict(state, z_val)) or 0.0

    pixels = [picked.flatten(1).numpy() / np.float32(255) for picked in (train, val)]
    found: dict[str, Any] = {
        "seed": seed,
        "epochs": asked.epochs,
        "rate": kind,
        "nmi_pixels": nmi(*pixels),
    }
    print(found, flush=True)
    sigmoid = pretrained("deep-sigmoid")
    found["val_mse"] = sigmoid.history[-1]["val/loss"]
    found["nmi_autoencoder"] = nmi(*(encode_all(sigmoid.model.cpu(), s) for s in (train, val)))
    print(found, flush=True)
    linear = pretrained("deep")
    found["train_mse"] = linear.history[-1]["train/loss"]
    job = start.Job(
        x=torch.cat([train, val]),
        fitted=np.arange(N_ROWS) < N_TRAIN,
        model=linear.model.cpu(),
        start=KMEANS,
        n_clusters=K,
        augmentation=Plugin("corruptions", "none", load("corruptions", "none").Config()),
        seed=seed,
        device="auto",
        work=folder / "dec",
        on_update=lambda update, health: print(update, health["label_change"], flush=True),
    )
    refined = refinement.refine(params.plugin("deep_clusterers", DEC), job)
    found["nmi_dec"] = metrics.nmi(told, start.hardened(refined.soft)[N_TRAIN:])
    found["iterations"] = DEC["interval"] * (len(refined.history) - 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the documents' protocol on MNIST.")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--constant", action="store_true", help="a rate of 1e-3 throughout")
    parser.add_argument("--bf16", action="store_true", help="trains in mixed precision")
    asked = parser.parse_args()
    found = pictures()
    x, labels = found.x[:N_ROWS], found.labels[:N_ROWS]
    rows = [THEIRS]
    for seed in asked.seeds:
        rows.append(measured(x, labels, seed, asked))
        print(rows[-1], flush=True)
        with work.output(ROOT / "results/documents") as folder:
            with (folder / "seeds.csv").open("w", newline="") as stream:
                writer = csv.DictWriter(stream, list(rows[-1]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main()
