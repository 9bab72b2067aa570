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
from narrows.data import blocks, new_files
from narrows.data.new_files import NewSamples
from narrows.errors import UserError
from narrows.rendering import progress
from narrows.store import features
from narrows.store.reading import read_json, read_schema

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
        new = new_files.read(paths, model, _like(served))
        row = _loaded(model, kind, served[kind])
        columns = _columns(row, _taken(model, row, new))
    rows = _answers.table(new, columns)
    _answers.save(rows, to) if to else _answers.show(rows)
    _answers.report("predict", new, [], f"by {served[kind]}", to)
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


def _loaded(model: Path, kind: str, key: str) -> SavedEncoder:
    from narrows.clustering import saved
    from narrows.tracking import models

    return saved.load(model, key) if kind == models.CLUSTERING else saved.load_encoder(model, key)


def _taken(model: Path, row: SavedEncoder, new: NewSamples) -> np.ndarray:
    """New samples, or features of them, as the encoder takes them."""
    places = list((model / "pretrained").glob("*"))
    if not places:
        return new.x
    from narrows.models.features import of_new

    return of_new(features.StoredFeatures(places[0]), read_schema(model), new, "auto")


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
