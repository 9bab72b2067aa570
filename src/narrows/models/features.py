"""Features of originals by an encoder that others trained, remembered by what the originals hold.

A run that was killed goes on where it was, and a folder with ten new pictures costs ten pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np
import torch

from narrows.config.params import plugin
from narrows.config.plugins import Plugin, resolved
from narrows.data import originals
from narrows.data.datasets._base import Original
from narrows.data.new_files import NewSamples
from narrows.data.scaling import Scaling
from narrows.models.devices import autocast, device_named, precision_on
from narrows.models.pretrained._base import Classifier, Pretrained
from narrows.store import remembered
from narrows.store.digests import digest_of, name_of
from narrows.store.features import StoredFeatures

BATCH = 32
"""Originals that are read, and remembered, together."""
CACHED = 8
"""Pictures that go through a network together on a CPU: of more, what is between two layers does
not stay in its cache, and each takes twice as long."""
N_THREADS = 4  # decoding lets go of Python's lock


class Extractor:
    """An encoder that others trained, whose network is loaded when it is first needed.

    Args:
        row: of the family `pretrained`.
        device: auto, cpu, cuda or mps.
    """

    def __init__(self, row: Plugin, device: str):
        self.row, self.device = row, device_named(device)
        self.module: Pretrained = row.module

    @cached_property
    def network(self) -> Any:
        """The network with its weights.

        Raises:
            UserError: they are not here or are others.
        """
        return self.module.load(self.row.config, self.device)

    @property
    def classifier(self) -> Classifier | None:
        """The network's layer that names features; None where there is none."""
        return self.module.classifier(self.row.config, self.network)

    def extract(self, samples: Sequence[Original]) -> Iterator[np.ndarray]:
        """Features (B, D), float32, of the originals in their order, some at a time.

        Raises:
            UserError: the weights are not here or are others, or an original has changed.
        """
        weights = self.module.weights(self.row.config).file
        name = name_of([resolved(self.row), digest_of(weights)])[:32]
        with remembered.open_memory(name) as memory, ThreadPoolExecutor(N_THREADS) as pool:
            for start in range(0, len(samples), BATCH):
                batch = samples[start : start + BATCH]
                known = memory.recall([original.key for original in batch])
                missing = [original for original in batch if original.key not in known]
                if missing:
                    computed = zip(missing, self._features(missing, pool), strict=True)
                    fresh = {original.key: features for original, features in computed}
                    memory.remember(fresh)
                    known |= fresh
                yield np.stack([known[original.key] for original in batch])

    def _features(self, samples: Sequence[Original], pool: ThreadPoolExecutor) -> np.ndarray:
        """Features (B, D) of a batch."""
        size = self.module.size(self.row.config)
        read = list(pool.map(lambda original: original.read(size), samples))
        are_pictures = self.module.KIND == "pictures"
        step = CACHED if are_pictures and self.device.type == "cpu" else BATCH
        with torch.inference_mode(), autocast(self.device, precision_on(self.device, "auto")):
            parts = [
                self.module.features(
                    self.row.config, self.network, np.stack(part) if are_pictures else part
                )
                for part in (read[i : i + step] for i in range(0, len(read), step))
            ]
        return np.concatenate(parts)


def extract(row: Plugin, samples: Sequence[Original], device: str) -> Iterator[np.ndarray]:
    """Features (B, D), float32, of originals by a row of `pretrained`, see `Extractor`."""
    return Extractor(row, device).extract(samples)


def of_new(
    stored: StoredFeatures, schema: Mapping[str, Any], new: NewSamples, device: str
) -> np.ndarray:
    """Features (N, D) of new samples, on the scale of the known ones, beyond whose ends they may
    lie; raises as `Extractor.extract` does.

    Args:
        schema: that `prepare` left.
    """
    row = plugin("pretrained", stored.config["row"])
    samples = originals.new(schema, new)
    scaling = Scaling.between(stored.config["low"], stored.config["high"])
    return scaling.to_unit(np.concatenate([*extract(row, samples, device)]))
