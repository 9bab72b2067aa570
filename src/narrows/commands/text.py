"""Clustered documents as one page that opens offline, or the documents nearest to a query.

python -m narrows text pca-kmeans
python -m narrows text pca-kmeans --query "who won the election"
python -m narrows text pca-kmeans --query letter.txt -n 5
"""

import csv
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from narrows.clustering import neighbours, saved
from narrows.clustering.centres import means
from narrows.commands import _base
from narrows.commands._base import Chosen
from narrows.config import plugins
from narrows.data import table_frame
from narrows.data.datasets._base import NothingLeft
from narrows.errors import UserError
from narrows.explore.text import page, terms
from narrows.store import outputs
from narrows.store.reading import existing

N_TERMS = 12
N_HEARTS = 5


def main(words: Sequence[str]) -> None:
    parser = _base.row_parser(__name__, __doc__)
    parser.add_argument("--query", help="a file, or words: prints the documents nearest to it")
    parser.add_argument("-n", type=int, default=10, help="how many of them")
    asked = parser.parse_args(words)
    if asked.n < 1:
        parser.error("-n: at least 1")
    if asked.query is not None and not asked.query.strip():
        parser.error("--query: a file, or words")
    chosen = _base.chosen(asked.row)
    schema = table_frame.schema(chosen.data, "text")
    if asked.query is not None:
        answer(chosen, schema, asked.query, asked.n)
        return
    told: dict[int, list[terms.Term]] = {cluster: [] for cluster in chosen.sizes}
    if not schema.get("embeddings"):
        told = terms.top_terms(chosen.x, schema["terms"], chosen.clusters, N_TERMS)
    compared = dict.fromkeys([chosen.encoder, *chosen.params.baselines])
    measured = Path("results", chosen.dataset, "codes.csv")
    topics = page.Topics(
        dataset=chosen.dataset,
        clustering=chosen.key,
        encoder=chosen.encoder,
        sizes=chosen.sizes,
        terms=told,
        hearts=hearts(chosen),
        precisions=page.precisions(measured, list(compared)),
    )
    target = chosen.artifacts / "texts" / chosen.key
    with outputs.output(target) as folder:
        page.write(folder, topics)
    print(f"text: {target / 'index.html'} tells of {len(chosen.x):,} documents", flush=True)


def hearts(chosen: Chosen) -> dict[int, list[str]]:
    """By cluster, names of the documents nearest to its mean."""
    codes, names = chosen.codes(), _base.names(chosen)
    centres, found = means(codes, chosen.clusters + 1), {}  # of noise the first
    for cluster in chosen.sizes:
        rows = np.flatnonzero(chosen.clusters == cluster)
        nearest = neighbours.nearest(codes[rows], centres[[cluster + 1]], N_HEARTS)[0]
        found[cluster] = [names[row] for row in rows[nearest]]
    return found


def answer(chosen: Chosen, schema: dict[str, object], query: str, n: int) -> None:
    """Prints CSV: rank, distance between the codes, cluster, name."""
    import torch

    known = encoded(chosen, schema, query)
    code = saved.load(chosen.artifacts, chosen.key).encode(torch.from_numpy(known))
    codes, names = chosen.codes(), _base.names(chosen)
    rows = neighbours.nearest(codes, code, n)[0]
    distances = np.linalg.norm(codes[rows] - code, axis=1)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["rank", "distance", "cluster", "name"])
    for rank, (row, distance) in enumerate(zip(rows, distances, strict=True), start=1):
        writer.writerow([rank, f"{distance:.4g}", chosen.clusters[row], names[row]])


def encoded(chosen: Chosen, schema: dict[str, object], query: str) -> np.ndarray:
    """The query as a row of x, (1, D), as the dataset's plug-in makes it of a file."""
    with np.load(existing(chosen.data / "schema/arrays.npz")) as found:
        arrays = dict(found)
    module = plugins.load("datasets", "text")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(query)
        if not _is_file(file):
            file = Path(folder, "query.txt")
            file.write_text(query, encoding="utf-8")
        try:
            x: np.ndarray = module.encode(schema, arrays, file).x
        except NothingLeft:
            raise UserError(
                f"--query: no word of {query!r} is a term of {chosen.dataset}"
            ) from None
    return x[:1]


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):  # a sentence may be no name at all
        return False
