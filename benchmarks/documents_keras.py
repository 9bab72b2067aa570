"""The documents' own code for their autoencoder with a sigmoid code, on the splits of documents.py.

    .venv-peers/bin/python benchmarks/documents_keras.py SEED [--epochs 500] [--bf16]

Is the documents' validation MSE what their code gives, or one of its luckier runs? Keras, its Adam,
its start of the weights; MNIST as documents.py has left it in data/mnist/raw. A line for the seed
goes to benchmarks/results/documents_keras.csv.
"""

import argparse
import csv
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"  # which has bf16 products on a CPU

import keras
import numpy as np
from keras import layers

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks/results/documents_keras.csv"
N_ROWS, N_TRAIN = 49_000, 34_300


def split(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Train and validation pictures, float32 (N, 784) in [0, 1]."""
    files = (ROOT / f"data/mnist/raw/{part}-images-idx3-ubyte" for part in ("train", "t10k"))
    x = np.concatenate([np.fromfile(file, np.uint8)[16:] for file in files]).reshape(-1, 784)
    places = np.random.default_rng(seed).permutation(len(x))[:N_ROWS]
    train, val = np.split(x[places].astype(np.float32) / 255, [N_TRAIN])
    return train, val


def network() -> keras.Model:
    first = keras.Input((784,))
    x = first
    for width in (500, 500, 2000):
        x = layers.Dense(width, activation="relu")(x)
    x = layers.Dense(10, activation="sigmoid")(x)
    for width in (2000, 500, 500):
        x = layers.Dense(width, activation="relu")(x)
    return keras.Model(first, layers.Dense(784, dtype="float32")(x))


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the documents' autoencoder in Keras.")
    parser.add_argument("seed", type=int)
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--bf16", action="store_true", help="trains in mixed precision")
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    keras.config.set_dtype_policy("mixed_bfloat16" if options.bf16 else "float32")
    train, val = split(options.seed)
    model = network()
    model.compile(optimizer="adam", loss="mse")
    history = model.fit(
        train,
        train,
        2048,
        options.epochs,
        validation_data=(val, val),
        validation_batch_size=2048,
        verbose=2,
    ).history
    line = {"seed": str(options.seed), "epochs": str(options.epochs)}
    line["precision"] = "bf16" if options.bf16 else "fp32"
    line |= {
        key: f"{history[of][-1]:.6f}"
        for key, of in (("train_mse", "loss"), ("val_mse", "val_loss"))
    }
    before = list(csv.DictReader(RESULTS.open())) if RESULTS.exists() else []
    others = [old for old in before if any(old[key] != line[key] for key in list(line)[:3])]
    with RESULTS.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(line), lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted([*others, line], key=lambda row: int(row["seed"])))


if __name__ == "__main__":
    main()
