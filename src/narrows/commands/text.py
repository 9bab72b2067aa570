"""Clustered documents as one page that opens offline, or the documents nearest to a query.

narrows text pca-kmeans
narrows text pca-kmeans --query "who won the election"
narrows text pca-kmeans --query letter.txt -n 5
"""

import argparse
import csv
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from narrows.clustering import neighbours, saved
from narrows.clustering.centres import means
from narrows.commands import _base
from narrows.commands._base import FinishedRow
from narrows.config.messages import plural
from narrows.data import new_files, table_frame
from narrows.data.datasets._base import NothingLeft
from narrows.errors import UserError, say
from narrows.explore.groups import Named
from narrows.explore.text import page, terms
from narrows.rendering import progress
from narrows.store import outputs
from narrows.store.reading import read_arrays

N_TERMS = 12
N_HEARTS = 5


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = _base.row_parser(__name__, __doc__)
    parser.add_argument("--query", help="a file, or words: prints the documents nearest to it")
    parser.add_argument("--names", type=Path, help="JSON saved by the page: names and merges")
    parser.add_argument("-n", type=int, default=10, help="how many of them")
    return parser


def main(words: Sequence[str]) -> int:
    """Writes the page, or prints the documents nearest to a query."""
    options = parser().parse_args(words)
    if options.n < 1:
        parser().error("-n: at least 1")
    if options.query is not None and not options.query.strip():
        parser().error("--query: a file, or words")
    finished = _base.read_row(options.row)
    schema = table_frame.schema(finished.data, "text")
    if options.query is not None:
        answer(finished, schema, options.query, options.n)
        return 0
    with progress.watch("text"):
        target = describe(finished, schema, finished.named(options.names))
    say(f"text: {target / 'index.html'} tells of {plural(len(finished.x), 'document')}")
    return 0


def describe(finished: FinishedRow, schema: dict[str, Any], named: Named) -> Path:
    """Writes the page; returns its folder.

    Args:
        named: what the page calls clusters to begin with.
    """

    def top(clusters: np.ndarray) -> dict[int, list[terms.Term]]:
        if schema.get("embeddings"):  # whose numbers are no terms
            return {int(cluster): [] for cluster in np.unique(clusters)}
        return terms.top_terms(finished.x, schema["terms"], clusters, N_TERMS)

    top_terms = top(finished.clusters)
    compared = dict.fromkeys([finished.encoder, *finished.params.baselines])
    measured = Path("results", finished.dataset, "codes.csv")
    topics = page.Topics(
        groups=finished.groups(
            terms.names(top_terms), lambda coarse: terms.names(top(coarse)), named
        ),
        encoder=finished.encoder,
        terms=top_terms,
        hearts=hearts(finished),
        precisions=page.precisions(measured, list(compared)),
    )
    target = finished.artifacts / "texts" / finished.key
    with outputs.output(target) as folder:
        page.write(folder, topics)
    return target


def hearts(finished: FinishedRow) -> dict[int, list[str]]:
    """By cluster, names of the documents nearest to its mean."""
    codes, names = finished.codes(), finished.names
    centres, documents = means(codes, finished.clusters + 1), {}  # the first is noise's
    for cluster in finished.sizes:
        rows = np.flatnonzero(finished.clusters == cluster)
        nearest = neighbours.nearest(codes[rows], centres[[cluster + 1]], N_HEARTS)[0]
        documents[cluster] = [names[row] for row in rows[nearest]]
    return documents


def answer(finished: FinishedRow, schema: dict[str, Any], query: str, n: int) -> None:
    """Prints CSV: rank, distance between the codes, cluster, name."""
    with progress.watch("text"):
        import torch

        known = encoded(finished, schema, query)
        code = saved.load(finished.artifacts, finished.key).encode(torch.from_numpy(known))
        codes, names = finished.codes(), finished.names
        rows = neighbours.nearest(codes, code, n)[0]
    distances = np.linalg.norm(codes[rows] - code, axis=1)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["rank", "distance", "cluster", "name"])
    for rank, (row, distance) in enumerate(zip(rows, distances, strict=True), start=1):
        writer.writerow([rank, f"{distance:.4g}", finished.clusters[row], names[row]])


def encoded(finished: FinishedRow, schema: dict[str, Any], query: str) -> np.ndarray:
    """The query as a row of x, (1, D), as the dataset's plug-in makes it of a file."""
    arrays = read_arrays(finished.data / "schema/arrays.npz")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(query)
        if not _is_file(file):
            file = Path(folder, "query.txt")
            file.write_text(query, encoding="utf-8")
        try:
            x = new_files.encoded(file, schema, arrays).x
        except NothingLeft:
            raise UserError(
                f"--query: no word of {query!r} is a term of {finished.dataset}"
            ) from None
    return x[:1]


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):  # a sentence may be no name at all
        return False
