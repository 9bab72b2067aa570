"""Clustered documents as one page that opens offline, or the documents nearest to a query.

narrows text pca-kmeans
narrows text pca-kmeans --query "who won the election"
narrows text pca-kmeans --query letter.txt -n 5
"""

import argparse
import csv
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from narrows.clustering import neighbours, saved
from narrows.clustering.centres import means
from narrows.commands import _base
from narrows.commands._base import FinishedRow
from narrows.config.messages import plural
from narrows.data import originals, table_frame
from narrows.data.datasets._base import NothingLeft
from narrows.errors import UserError, say
from narrows.explore import new_samples
from narrows.explore.groups import Named
from narrows.explore.text import page, terms
from narrows.explore.text.page import Document
from narrows.rendering import html, progress
from narrows.store import clusterings, outputs

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
        answer(finished, options.query, options.n)
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

    top_terms, target = top(finished.clusters), finished.artifacts / "texts" / finished.key
    compared = dict.fromkeys([finished.encoder, *finished.params.baselines])
    measured = Path("results", finished.dataset, "codes.csv")
    topics = page.Topics(
        groups=finished.groups(
            terms.names(top_terms), lambda coarse: terms.names(top(coarse)), named
        ),
        encoder=finished.encoder,
        terms=top_terms,
        hearts=hearts(finished, target),
        precisions=page.precisions(measured, list(compared)),
    )
    with outputs.output(target) as folder:
        page.write(folder, topics)
    return target


def hearts(finished: FinishedRow, target: Path) -> dict[int, list[Document]]:
    """By cluster, the documents nearest to its mean.

    Args:
        target: folder of the page.
    """
    codes, names = finished.codes(), finished.names
    centres, nearest = means(codes, finished.clusters + 1), {}  # the first is noise's
    for cluster in finished.sizes:
        rows = np.flatnonzero(finished.clusters == cluster)
        places = neighbours.nearest(codes[rows], centres[[cluster + 1]], N_HEARTS)[0]
        nearest[cluster] = [names[row] for row in rows[places]]
    documents = _documents(finished, {name for own in nearest.values() for name in own}, target)
    return {cluster: [documents[name] for name in own] for cluster, own in nearest.items()}


def _documents(finished: FinishedRow, names: Collection[str], target: Path) -> dict[str, Document]:
    """Documents by name; of those that are no longer as they were, the names alone."""
    try:
        own = originals.named(finished.params.dataset, finished.data, names)
    except UserError as error:
        say(f"text: the page has no excerpts: {error}")
        return {name: Document(name) for name in names}
    return {
        name: Document(
            name,
            page.excerpt(original.read(0)),
            html.url(original.file, target) if original.file else "",
        )
        for name, original in own.items()
    }


def answer(finished: FinishedRow, query: str, n: int) -> None:
    """Prints CSV: rank, distance between the codes, cluster, name."""
    with progress.watch("text"):
        code = encoded(finished, query)
        codes, names = finished.codes(), finished.names
        rows = neighbours.nearest(codes, code, n)[0]
    distances = np.linalg.norm(codes[rows] - code, axis=1)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["rank", "distance", "cluster", "name"])
    for rank, (row, distance) in enumerate(zip(rows, distances, strict=True), start=1):
        writer.writerow([rank, f"{distance:.4g}", finished.clusters[row], names[row]])


def encoded(finished: FinishedRow, query: str) -> np.ndarray:
    """Code (1, D) of the query, which is read as a new file is."""
    stored = clusterings.open_clustering(finished.artifacts, finished.key, finished.is_deep)
    places, device = (finished.artifacts, stored.encoder), finished.params.device
    with tempfile.TemporaryDirectory() as folder:
        file = Path(query)
        if not (is_file := _is_file(file)):
            file = Path(folder, "query.txt")
            file.write_text(query, encoding="utf-8", errors="surrogateescape")
        try:
            _, x = new_samples.read([file], finished.data, finished.x, *places, device)
        except NothingLeft:
            if is_file:
                raise
            raise UserError(
                f"--query: no word of {query!r} is a term of {finished.dataset}"
            ) from None
    return saved.of_stored(stored).codes(x[:1])


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):  # a sentence may be no name at all
        return False
