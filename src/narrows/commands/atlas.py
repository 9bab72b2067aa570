"""A clustering as one Parquet file for embedding-atlas: map, clusters, neighbours, the samples.

narrows atlas affine-conv-self-label
narrows atlas pca-kmeans --names saved.json

The last line that it prints is the command that opens the file in embedding-atlas.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from narrows.clustering import neighbours
from narrows.commands import _base
from narrows.commands._base import FinishedRow
from narrows.config.messages import plural
from narrows.data import originals, table_frame
from narrows.data.tables import beyond
from narrows.errors import say
from narrows.explore.atlas import file as atlas_file
from narrows.explore.atlas import samples
from narrows.explore.atlas.samples import Columns, strings
from narrows.explore.gallery import plane
from narrows.explore.groups import Named
from narrows.rendering import progress
from narrows.report import artifacts
from narrows.store import outputs
from narrows.store.reading import read_schema

if TYPE_CHECKING:
    import pyarrow as pa

OWN = ("name", "cluster", "label", atlas_file.X, atlas_file.Y, atlas_file.NEIGHBORS)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = _base.row_parser(__name__, __doc__)
    parser.add_argument("--names", type=Path, help="JSON saved by a page: names and merges")
    return parser


def main(words: Sequence[str]) -> int:
    """Writes the file and prints the command that opens it."""
    options = parser().parse_args(words)
    finished = _base.read_row(options.row)
    named = finished.named(options.names)
    target = finished.artifacts / "atlases" / f"{finished.key}.parquet"
    with progress.watch("atlas"), outputs.hold(target):
        content = content_of(finished)
        parts = [words_of(finished, named), content, places_of(finished)]  # what is slow comes last
        target.parent.mkdir(parents=True, exist_ok=True)
        atlas_file.write(target, len(finished.x), parts)
    say(f"atlas: {target} has {plural(len(finished.x), 'sample')}; embedding-atlas opens it:")
    roles = [name for name in (samples.IMAGE, samples.TEXT) if name in content(slice(0, 0))]
    say(opening(target, roles))
    return 0


def opening(target: Path, roles: Sequence[str]) -> str:
    """The command that opens a file in embedding-atlas.

    >>> opening(Path("a b.parquet"), ["image"])[:47]
    "uvx embedding-atlas 'a b.parquet' --x projectio"
    """
    options = {"x": atlas_file.X, "y": atlas_file.Y, "neighbors": atlas_file.NEIGHBORS}
    options |= {role: role for role in roles}
    flags = [word for option, column in options.items() for word in (f"--{option}", column)]
    return shlex.join(["uvx", "embedding-atlas", str(target), *flags])


def words_of(finished: FinishedRow, named: Named) -> Columns:
    """Names, clusters and, where there are any, labels."""
    data = artifacts.read_data(finished.data)
    names, clusters, labels = finished.names, finished.clusters, data.labels
    called = dict(enumerate(data.label_names))

    def columns(rows: slice) -> dict[str, pa.Array]:
        own = {
            "name": strings(names[rows]),
            "cluster": strings([named.label(int(cluster)) for cluster in clusters[rows]]),
        }
        if labels is not None:
            numbers = labels[rows].tolist()
            own["label"] = strings([called.get(number, str(number)) for number in numbers])
        return own

    return columns


def places_of(finished: FinishedRow) -> Columns:
    """Places on the map of the codes, and the samples with the nearest codes."""
    codes = finished.codes()
    nearest = neighbours.nearest(codes, None, atlas_file.N_NEIGHBORS)
    return atlas_file.places(plane.layout(codes), codes, nearest)


def content_of(finished: FinishedRow) -> Columns:
    """What the samples are: pictures, documents, columns of a table; no column for an array of
    numbers."""
    x = finished.x
    if x.ndim == 4:
        return samples.pictures(x)
    schema = read_schema(finished.data)
    if schema.get("originals") == "texts":
        return samples.texts(originals.known(finished.params.dataset, finished.data))
    columns = table_frame.used(schema)
    if not columns:
        return lambda _: {}
    outside = beyond.read(finished.data / "schema", (len(x), len(columns)))
    return samples.table(x, columns, outside, OWN)
