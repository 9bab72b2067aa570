"""artifacts/<dataset>/encoders/<key>: what a baseline, an autoencoder or a search's winner leaves.

Encoders of other seeds leave the same in artifacts/<dataset>/seed_encoders/<seed>/<key>.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.store.files import write_csv
from narrows.store.reading import read_array, read_arrays, read_columns, read_json, read_weights
from narrows.store.rows import StoredRow

if TYPE_CHECKING:
    from torch import Tensor

History = Sequence[Mapping[str, int | float]]


@dataclass(frozen=True)
class StoredEncoder(StoredRow):
    """The files of one encoder, each read when it is asked for.

    Reading raises `UserError` where a file is missing or damaged.
    """

    @cached_property
    def config(self) -> dict[str, Any]:
        """Enough to build it again and to know its data: key, kind ("baseline" or "autoencoder"),
        row, dataset, data_digest, input_shape, n_samples."""
        config: dict[str, Any] = read_json(self.folder / "config.json")
        return config

    @property
    def is_baseline(self) -> bool:
        """Whether it was not trained."""
        return bool(self.config["kind"] == "baseline")

    @cached_property
    def codes(self) -> np.ndarray:
        """Codes (N, D) of all samples, float32, memory-mapped."""
        return read_array(self.folder / "codes.npy")

    @cached_property
    def samples(self) -> dict[str, np.ndarray]:
        """x, noisy and reconstruction of the validation samples that every picture shows, (16, ...)
        in [0, 1]."""
        return read_arrays(self.folder / "samples.npz")

    @cached_property
    def train(self) -> dict[str, Any]:
        """What training cost and what it reached: seed, code_size, n_parameters, epochs_run,
        best_epoch, seconds, precision, and mse, bce, psnr and ssim by split."""
        train: dict[str, Any] = read_json(self.folder / "train.json")
        return train

    @cached_property
    def history(self) -> dict[str, np.ndarray] | None:
        """Columns of history.csv, a value an epoch; None for a baseline."""
        return None if self.is_baseline else read_columns(self.folder / "history.csv")

    @property
    def state(self) -> dict[str, np.ndarray]:
        """What a baseline has learned, arrays by name."""
        return read_arrays(self.folder / "state.npz")

    @property
    def weights(self) -> dict[str, Tensor]:
        """What an autoencoder has learned, tensors by name, on the CPU."""
        return read_weights(self.folder / "weights.pt")

    @property
    def coder_files(self) -> list[Path]:
        """Files that are needed to encode and to decode new samples."""
        learned = "state.npz" if self.is_baseline else "weights.pt"
        return [self.folder / "config.json", self.folder / learned]

    @property
    def served_files(self) -> list[Path]:
        """Files that a clustering of its codes needs to answer for new samples."""
        return [*self.coder_files, codes_file(self.folder)]


def folder(artifacts: Path, key: str) -> Path:
    """Where the encoder of a row of baselines, autoencoders or searches lies."""
    return artifacts / "encoders" / key


def seed_folder(artifacts: Path, seed: int, key: str) -> Path:
    """Where the same row from another seed lies."""
    return artifacts / "seed_encoders" / str(seed) / key


def files(place: Path, is_baseline: bool) -> tuple[Path, ...]:
    """Files that say all of an encoder: its config, what it has learned, its codes."""
    learned = "state.npz" if is_baseline else "weights.pt"
    return tuple(place / name for name in ("config.json", learned, "codes.npy"))


def codes_file(place: Path) -> Path:
    """The codes alone, for what needs nothing else."""
    return place / "codes.npy"


def config_file(place: Path) -> Path:
    """What the encoder is, without what it has learned."""
    return place / "config.json"


def write(
    place: Path,
    config: Mapping[str, Any],
    codes: np.ndarray,
    samples: Mapping[str, np.ndarray],
    train: Mapping[str, Any],
) -> None:
    """Writes what every encoder leaves into an empty folder.

    Args:
        codes: (N, D) of all samples, in the order of x.npy.
        samples: x, noisy, reconstruction, (16, ...) each.
    """
    (place / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    np.save(place / "codes.npy", codes.astype(np.float32, copy=False))
    np.savez(place / "samples.npz", allow_pickle=False, **samples)
    (place / "train.json").write_text(json.dumps(train, indent=2) + "\n")


def write_state(place: Path, state: Mapping[str, np.ndarray]) -> None:
    """Writes what a baseline has learned."""
    np.savez(place / "state.npz", allow_pickle=False, **state)


def write_trained(
    place: Path, weights: Mapping[str, Tensor], history: History, layers: Sequence[History]
) -> None:
    """Writes what training has left: weights by name, and a line an epoch, also of each layer that
    was trained before the whole, input side first."""
    import torch

    torch.save(dict(weights), place / "weights.pt")
    write_history(place / "history.csv", history)
    for i, layer in enumerate(layers, start=1):
        write_history(place / f"history-layer-{i}.csv", layer)


def history_files(place: Path) -> list[Path]:
    """history.csv and those of layers."""
    return sorted(place.glob("history*.csv"))


def write_history(file: Path, history: History) -> None:
    """One line an epoch or update; what the first ones do not have is an empty cell."""
    write_csv(file, history, list(history[-1]), digits=None)


def write_seed(
    place: Path, seed: int, weights: Mapping[str, Tensor], record: Mapping[str, Any]
) -> None:
    """Writes one row's weights from one of several seeds that were trained at once, and what the
    training has said: history, best_epoch, seconds, precision."""
    import torch

    file, described = seed_files(place, seed)
    torch.save(dict(weights), file)
    described.write_text(json.dumps(record, indent=2) + "\n")


def read_seed(place: Path, seed: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_seed` wrote."""
    file, described = seed_files(place, seed)
    return read_weights(file), read_json(described)


def seed_files(place: Path, seed: int) -> tuple[Path, Path]:
    """The files of one seed among those that were trained at once."""
    return place / f"{seed}.pt", place / f"{seed}.json"
