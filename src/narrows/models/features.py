"""Features of originals by an encoder that others trained, remembered by what the originals hold.

A run that was killed goes on where it was, and a folder with ten new pictures costs ten pictures.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from narrows.config.params import plugin
from narrows.config.plugins import Plugin, resolved
from narrows.data import originals
from narrows.data.datasets._base import Original
from narrows.data.new_files import NewSamples
from narrows.errors import UserError
from narrows.models.devices import device_named, precision_on
from narrows.models.pretrained._base import Pretrained
from narrows.store.digests import digest_of, name_of
from narrows.store.features import StoredFeatures, scaled
from narrows.store.outputs import WORK

BATCH = 32
N_THREADS = 4  # decoding lets go of Python's lock
MEMORY = WORK / "features"
TABLE = "CREATE TABLE IF NOT EXISTS features (key TEXT PRIMARY KEY, value BLOB)"


def extract(row: Plugin, samples: Sequence[Original], device: str) -> Iterator[np.ndarray]:
    """Features (B, D), float32, of the originals in their order, some at a time.

    Args:
        row: of the family `pretrained`.
        device: auto, cpu, cuda or mps.

    Raises:
        UserError: the weights are not here or are others, or an original has changed.
    """
    module: Pretrained = row.module
    chosen = device_named(device)
    with _open(row) as memory, ThreadPoolExecutor(N_THREADS) as pool:
        network: Any = None
        for start in range(0, len(samples), BATCH):
            batch = samples[start : start + BATCH]
            known = _recall(memory, batch)
            missing = [original for original in batch if original.key not in known]
            if missing:
                network = network or module.load(row.config, chosen)
                fresh = _features(row, network, missing, pool, chosen)
                known |= {original.key: f for original, f in zip(missing, fresh, strict=True)}
                _remember(memory, {original.key: known[original.key] for original in missing})
            yield np.stack([known[original.key] for original in batch])


def of_new(
    stored: StoredFeatures, schema: Mapping[str, Any], new: NewSamples, device: str
) -> np.ndarray:
    """Features (N, D) of new samples, on the scale of the known ones; raises as `extract` does.

    Args:
        schema: that `prepare` left.
    """
    row = plugin("pretrained", stored.config["row"])
    samples = originals.new(schema, new.paths, new.names, new.x)
    return scaled(np.concatenate([*extract(row, samples, device)]), stored.config)


def _features(
    row: Plugin,
    network: Any,
    samples: Sequence[Original],
    pool: ThreadPoolExecutor,
    device: torch.device,
) -> np.ndarray:
    """Features (B, D) of a batch."""
    module: Pretrained = row.module
    size = module.size(row.config)
    read = list(pool.map(lambda original: original.read(size), samples))
    batch = np.stack(read) if module.KIND == "pictures" else read
    is_half = precision_on(device, "auto") == "bf16"
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, is_half):
        return module.features(row.config, network, batch)


@contextlib.contextmanager
def _open(row: Plugin) -> Iterator[sqlite3.Connection]:
    """What is remembered of this row's features, by the weights and all that the row says."""
    module: Pretrained = row.module
    name = name_of([resolved(row), digest_of(module.weights(row.config).file)])[:32]
    folder = Path(MEMORY)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.db"
    with contextlib.closing(sqlite3.connect(file, timeout=60)) as memory:
        try:
            memory.execute(TABLE)
        except sqlite3.DatabaseError:  # a damaged file holds nothing that cannot be made again
            file.unlink()
            raise UserError(f"{file} was damaged and is removed; run the command again") from None
        yield memory


def _recall(memory: sqlite3.Connection, batch: Sequence[Original]) -> dict[str, np.ndarray]:
    marks = ",".join("?" * len(batch))
    query = f"SELECT key, value FROM features WHERE key IN ({marks})"
    rows = memory.execute(query, [original.key for original in batch])
    return {key: np.frombuffer(value, np.float32) for key, value in rows}


def _remember(memory: sqlite3.Connection, known: dict[str, np.ndarray]) -> None:
    pairs = [(key, value.astype(np.float32).tobytes()) for key, value in known.items()]
    with memory:
        memory.executemany("INSERT OR REPLACE INTO features VALUES (?, ?)", pairs)
