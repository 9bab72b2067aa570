"""Stage prepare: data/<dataset>/raw -> x.npy, split.npy, labels.npy beside it.

Labels leave in a file of their own that only `report` depends on: dvc.yaml is the proof that no
earlier stage has seen them.
"""

import os
from pathlib import Path

import numpy as np

from narrows import errors, params, splits


def main() -> None:
    p = params.load()
    folder = Path("data") / p.dataset.name
    data = p.dataset.module.load(p.dataset.config, folder / "raw")
    split = splits.assign(
        len(data.x), data.is_test, p.prepare.test_fraction, p.prepare.val_fraction, p.seed
    )
    save(folder / "x.npy", data.x)
    save(folder / "split.npy", split)
    save(folder / "labels.npy", np.empty(0, np.int64) if data.labels is None else data.labels)


def save(path: Path, array: np.ndarray) -> None:
    """Writes under a temporary name first, so that no half-written file has the right one."""
    part = path.with_suffix(".part")
    with part.open("wb") as sink:
        np.save(sink, array)
    os.replace(part, path)


if __name__ == "__main__":
    errors.run(main)
