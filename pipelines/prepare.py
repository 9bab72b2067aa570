"""Stage prepare: data/<dataset>/raw -> x.npy, split.npy, labels.npy beside it.

Labels leave in a file of their own that only `report` depends on: dvc.yaml is the proof that no
earlier stage has seen them. Of a user's own data the rows' names and dates are in samples.csv,
what was left out in skipped.csv, and schema/ says how new rows are encoded.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from narrows import errors
from narrows.config import params
from narrows.data import blocks, splits
from narrows.data.datasets._base import Dataset, counted
from narrows.store.files import atomic_write, write_csv


def main() -> None:
    p = params.load()
    folder = Path("data") / p.dataset.name
    data: Dataset = p.dataset.module.load(p.dataset.config, folder / "raw")
    split = splits.assign(
        len(data.x), data.is_test, p.prepare.test_fraction, p.prepare.val_fraction, p.seed
    )
    save(folder / "x.npy", data.x)
    save(folder / "split.npy", split)
    save(folder / "labels.npy", np.empty(0, np.int64) if data.labels is None else data.labels)
    names = data.names or ()
    samples = list(zip(names, data.dates or [""] * len(names), strict=True))
    label_names = list(enumerate(data.label_names or ()))
    write_csv(folder / "samples.csv", samples, ("path", "date"), quoted=True)
    write_csv(folder / "skipped.csv", data.skipped, ("path", "reason"), quoted=True)
    write_csv(folder / "label_names.csv", label_names, ("label", "name"), quoted=True)
    save_schema(folder / "schema", data)
    told = f"prepare: {len(data.x):,} samples of shape {tuple(data.x.shape[1:])}"
    if data.skipped:
        told += f"; skipped {counted(data.skipped)}, see {folder / 'skipped.csv'}"
    print("\n".join([told, *(f"prepare: {warning}" for warning in data.warnings)]), flush=True)


def save(path: Path, array: np.ndarray) -> None:
    """An .npy, written in parts, because it may be larger than memory, and under a temporary name
    first, so that no half-written file has the right one."""
    with atomic_write(path) as partial, partial.open("wb") as sink:
        told = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(sink, {**told, "fortran_order": False})
        for block in blocks.blocks(array):
            block.tofile(sink)


def save_schema(folder: Path, data: Dataset) -> None:
    folder.mkdir(exist_ok=True)
    text = json.dumps(data.schema, indent=2, ensure_ascii=False)
    with atomic_write(folder / "schema.json") as partial:
        partial.write_text(text + "\n", encoding="utf-8")
    arrays: dict[str, Any] = dict(data.arrays)
    with atomic_write(folder / "arrays.npz") as partial:
        np.savez(partial, **arrays)


if __name__ == "__main__":
    errors.run(main)
