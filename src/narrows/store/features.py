"""artifacts/<dataset>/pretrained/<key>: features of all samples by an encoder others trained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from narrows.config.sections import SAMPLES
from narrows.store.reading import read_array, read_arrays, read_json
from narrows.store.rows import StoredRow


@dataclass(frozen=True)
class StoredFeatures(StoredRow):
    """The files of one row of `pretrained`, each read when it is asked for.

    Reading raises `UserError` where a file is missing or damaged.
    """

    @cached_property
    def config(self) -> dict[str, Any]:
        """row, kind of the originals, low and high (what became 0 and 1), words that a classifier
        has for features, and of the weights their sha256, licence and what they were trained on."""
        config: dict[str, Any] = read_json(config_file(self.folder))
        return config

    @cached_property
    def classifier(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Weights (W, D) and biases (W,) of the layer that names features by the `words` of
        config; None where there is none."""
        if not self.config["words"]:
            return None
        arrays = read_arrays(self.folder / "classifier.npz")
        return arrays["weight"], arrays["bias"]

    @property
    def x(self) -> np.ndarray:
        """Features (N, D) of all samples, float32 in [0, 1], memory-mapped."""
        return read_array(file(self.folder))


def folder(artifacts: Path, key: str) -> Path:
    """Where the row of `pretrained` lies."""
    return artifacts / "pretrained" / key


def file(place: Path) -> Path:
    """The features alone."""
    return place / "x.npy"


def config_file(place: Path) -> Path:
    """What the features are, without themselves."""
    return place / "config.json"


def data_files(dataset: str, input: str = SAMPLES) -> tuple[Path, ...]:
    """What a row reads that learns: samples and splits, and with the key of a row of `pretrained`
    its features."""
    files = tuple(Path("data", dataset, name) for name in ("x.npy", "split.npy"))
    return files if input == SAMPLES else (*files, file(folder(Path("artifacts", dataset), input)))


def of_encoder(artifacts: Path, config: Mapping[str, Any]) -> StoredFeatures | None:
    """The features that an encoder takes by its config.json, without `input` as before 0.2; None
    where it takes the samples."""
    key = config.get("input", SAMPLES)
    return None if key == SAMPLES else StoredFeatures(folder(artifacts, key))


def input_of(artifacts: Path, config: Mapping[str, Any], x: np.ndarray) -> np.ndarray:
    """All samples as an encoder takes them: x, or features of them.

    Args:
        artifacts: artifacts/<dataset>.
        config: content of the encoder's config.json.
        x: samples (N, ...) as in data/<dataset>/x.npy.
    """
    features = of_encoder(artifacts, config)
    return x if features is None else features.x


def common(artifacts: Path, keys: Sequence[str]) -> np.ndarray | None:
    """Features (N, D) between which distances say whether clusters are good, whatever encoder they
    are of: those by the first row of `pretrained`. None without any: then the samples do.

    Distances between the pixels of photographs say little of what these are of.

    Args:
        artifacts: artifacts/<dataset>.
        keys: those of `pretrained`.
    """
    return StoredFeatures(folder(artifacts, keys[0])).x if keys else None


def write(
    place: Path,
    config: Mapping[str, Any],
    x: np.ndarray,
    classifier: Mapping[str, np.ndarray] | None,
) -> None:
    """Writes what a row of `pretrained` leaves into an empty folder.

    Args:
        classifier: weight (W, D) and bias (W,) of the layer that names features, if there is one.
    """
    if classifier is not None:
        np.savez(place / "classifier.npz", allow_pickle=False, **classifier)
    config_file(place).write_text(json.dumps(config, indent=2) + "\n")
    np.save(file(place), x)
