"""Raw files -> x.npy, split.npy and labels.npy, and what a user's own data has besides.

Labels leave in a file of their own that only `report` depends on: dvc.yaml is the proof that no
earlier stage has seen them. Of a user's own data the samples' names, dates and places are in
samples.csv, what was left out in skipped.csv, and schema/ says how new samples are encoded.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from narrows.config.messages import plural
from narrows.config.plugins import Plugin
from narrows.config.sections import Prepare
from narrows.data import blocks, names, splits
from narrows.data.datasets._base import Dataset, aside, counted
from narrows.data.tables import beyond
from narrows.errors import UserError
from narrows.store.files import atomic_write, write_csv

N_LINES = 15  # on the terminal
ASSUMED = "schema/assumed.txt"


def prepare(
    dataset: Plugin,
    shares: Prepare,
    seed: int,
    raw_dir: Path,
    folder: Path,
    is_x_alone: bool = True,
) -> Dataset:
    """Reads what `fetch` left in `raw_dir`, splits it and writes all files into `folder`.

    Args:
        is_x_alone: whether no encoder reads what x was made from; if one does, samples of which x
            says nothing are good as well.

    Raises:
        UserError: raw files are missing or hold nothing that can be used, or are too few to split.
    """
    data: Dataset = dataset.module.load(dataset.config, raw_dir)
    data = data.without_blank() if is_x_alone else data
    fractions = (shares.test_fraction, shares.val_fraction)
    try:
        split = splits.assign(len(data.x), data.is_test, *fractions, seed)
    except UserError as error:
        raise UserError(f"{error}{aside(data.skipped)}") from None
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / "x.npy", data.x)
    save(folder / "split.npy", split)
    save(folder / "labels.npy", np.empty(0, np.int64) if data.labels is None else data.labels)
    label_names = list(enumerate(data.label_names or ()))
    names.write(folder / "samples.csv", data.names or (), data.dates, data.places)
    write_csv(folder / "skipped.csv", data.skipped, ("path", "reason"), quoted=True)
    write_csv(folder / "label_names.csv", label_names, ("label", "name"), quoted=True)
    save_schema(folder / "schema", data)
    return data


def summary(data: Dataset, folder: Path) -> list[str]:
    """Sentences on what was written into `folder`, fifteen at most: samples, what was skipped,
    what was assumed, and where that is in full."""
    text = f"{plural(len(data.x), 'sample')} of shape {tuple(data.x.shape[1:])}"
    if data.skipped:
        text += f"; skipped {counted(data.skipped)}, see {folder / 'skipped.csv'}"
    if not data.account:
        return shortened([text, *data.warnings], f", see {folder / ASSUMED}")
    return [
        *shortened([text, *data.warnings], "", N_LINES - 1),
        f"all that was assumed is in {folder / ASSUMED}",
    ]


def shortened(sentences: Sequence[str], where: str = "", n: int = N_LINES) -> list[str]:
    """The first sentences, n lines in all; the last says how many more there are, and where.

    >>> shortened(["a", "b", "c"], ", see d", 2)
    ['a', 'and 2 more, see d']
    """
    if len(sentences) <= n:
        return list(sentences)
    return [*sentences[: n - 1], f"and {len(sentences) - n + 1:,} more{where}"]


def save(file: Path, array: np.ndarray) -> None:
    """An .npy like that of `np.save`, written in blocks, because it may be larger than memory.

    No memory map writes it: where the disk is full, that ends the process without a word.
    """
    header = {
        "descr": np.lib.format.dtype_to_descr(array.dtype),
        "fortran_order": False,
        "shape": array.shape,
    }
    with atomic_write(file) as partial, partial.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for block in blocks.blocks(array):
            block.tofile(stream)


def save_schema(folder: Path, data: Dataset) -> None:
    """schema.json and arrays.npz: how `encode` of the dataset turns new samples into x; the same in
    words in assumed.txt; of a table what of it lies beyond [0, 1] in beyond.npz."""
    folder.mkdir(exist_ok=True)
    text = json.dumps(data.schema, indent=2, ensure_ascii=False)
    with atomic_write(folder / "schema.json") as partial:
        partial.write_text(text + "\n", encoding="utf-8")
    arrays: dict[str, Any] = dict(data.arrays)
    with atomic_write(folder / "arrays.npz") as partial:
        np.savez(partial, **arrays)
    sentences = data.account or data.warnings
    with atomic_write(folder.parent / ASSUMED) as partial:
        partial.write_text("".join(f"{sentence}\n" for sentence in sentences), encoding="utf-8")
    if data.beyond is not None:
        beyond.write(folder, data.beyond)
