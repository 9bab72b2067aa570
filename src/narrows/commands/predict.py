"""What a model of MLflow says about new files, from any folder: clusters, or codes of an encoder.

narrows predict --model models:/narrows-digits@champion new.csv
narrows predict --model models:/narrows-photos/3 ~/new/pictures --to clusters.parquet

The model is all that is needed, of the store that MLFLOW_TRACKING_URI names, or else of this
folder's: it brings what it has learned and how its data was read. `narrows apply` says more of a
row of the project in this folder: outliers and the most similar known samples, too. A path is a
folder or a file as the model's dataset takes them, or an .npy of samples as its x.npy has them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.commands import _answers, _base
from narrows.data import blocks
from narrows.data.datasets._base import by_kind
from narrows.errors import UserError
from narrows.explore import new_samples
from narrows.rendering import progress
from narrows.store import clusterings, encoders
from narrows.store.encoders import StoredEncoder
from narrows.store.reading import read_json

if TYPE_CHECKING:
    from narrows.clustering.saved import SavedEncoder


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = _base.parser(__name__, __doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder")
    model = "models:/NAME@ALIAS, models:/NAME/VERSION or models:/ID, as MLflow's page shows them"
    parser.add_argument("--model", required=True, metavar="URI", help=model)
    parser.add_argument("--to", type=Path, help="a .csv or a .parquet; without it CSV is printed")
    return parser


def main(words: Sequence[str]) -> int:
    """Prints or writes the table."""
    options = parser().parse_args(words)
    to = _checked(options.to.expanduser()) if options.to else None
    paths = [path.expanduser() for path in options.paths]
    with progress.watch("predict"), tempfile.TemporaryDirectory() as folder:
        from narrows.tracking import models, registry

        model, kind = _opened(registry.download(options.model, Path(folder)), options.model)
        served = read_json(model / models.SERVED)
        row, encoder = _loaded(model, kind, served[kind])
        new, x = new_samples.read(paths, model, _like(served), model, encoder, "auto")
        columns = _columns(row, x)
    rows = _answers.tables(new, columns)
    _answers.save(rows, to) if to else _answers.show(rows)
    skipped = by_kind(file for _, file in new.skipped)
    about = _answers.Report(len(new.x), new.warnings, skipped, f"by {served[kind]}")
    _answers.report("predict", about, [], to)
    return 0


def _checked(to: Path) -> Path:
    """Where the table goes; raises `UserError` where that is no table, or there already."""
    if to.suffix.lower() not in _answers.TABLES:
        raise UserError(f"--to is {to}; accepted are names that end in .csv or .parquet")
    if to.exists():
        raise UserError(f"{to} is there already; name a file that is not")
    return to


def _opened(copy: Path, uri: str) -> tuple[Path, str]:
    """The folder of a model's artifacts, and its kind.

    Raises:
        UserError: it is no model of this package, or one of an earlier version.
    """
    from narrows.tracking import models

    for kind in (models.CLUSTERING, models.ENCODER):
        place = copy / "artifacts" / kind
        if (place / models.SERVED).exists():
            if not (place / "schema").exists():
                raise UserError(
                    f"{uri} does not say how its data was read, because an earlier version of "
                    "narrows has logged it: promote the row again"
                )
            return place, kind
    raise UserError(f"{uri} is no model of narrows")


def _like(served: dict[str, Any]) -> np.ndarray:
    """No samples, of the shape and type of those in x.npy."""
    return np.empty((0, *served["samples"]["shape"]), served["samples"]["dtype"])


def _loaded(model: Path, kind: str, key: str) -> tuple[SavedEncoder, StoredEncoder]:
    """The row, and the files of its encoder."""
    from narrows.clustering import saved
    from narrows.tracking import models

    if kind == models.CLUSTERING:
        stored = clusterings.open_clustering(model, key)
        return saved.of_stored(stored), stored.encoder
    return saved.load_encoder(model, key), StoredEncoder(encoders.folder(model, key))


def _columns(row: SavedEncoder, x: np.ndarray) -> dict[str, Any]:
    """What is said of samples x (N, ...): N values a column."""
    from narrows.clustering.saved import Saved
    from narrows.explore import apply

    size = min(apply.AT_ONCE, blocks.n_together(x.shape[1:]))
    parts = list(blocks.blocks(apply.filled(x, size), size))
    if not isinstance(row, Saved):
        codes = np.concatenate([row.codes(part) for part in parts])[: len(x)]
        errors = np.concatenate([row.errors(part) for part in parts])[: len(x)]
        named = {f"code_{i}": column for i, column in enumerate(codes.T, start=1)}
        return {**named, "error": errors}
    answers = [row.describe(part) for part in parts]
    of_parts = {
        "cluster": [answer.clusters for answer in answers],
        "membership": [answer.soft.max(axis=1, initial=0) for answer in answers],
        "distance": [answer.distances for answer in answers],
        "error": [answer.errors for answer in answers],
    }
    return {name: np.concatenate(arrays)[: len(x)] for name, arrays in of_parts.items()}
