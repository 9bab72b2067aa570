"""The figures of a clustering: which ones a report has, of which arrays, under which caption."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from narrows.clustering import matching
from narrows.clustering.centres import means
from narrows.rendering import figures, grids
from narrows.rendering.figures import FEW_COLOURS, CaptionedFigure
from narrows.report import tables
from narrows.report.artifacts import LabelledData, ReportedClustering
from narrows.report.encoder_figures import as_bars

N_PER_KIND = 6  # typical, far and ambiguous samples of a cluster
N_TOGETHER = 2**12  # codes that are compared with all centres at once
MAX_CLUSTERS = 20  # with a line of their own on the sheet
Rows = Integer[np.ndarray, " n"]


def draw_clustering(
    clustering: ReportedClustering, data: LabelledData
) -> Iterator[CaptionedFigure]:
    """Every figure of one clustering; those that compare with labels only where there are any."""
    pairs = tables.train_pairs(data, clustering.clusters)
    yield _map(clustering, pairs, data)
    yield from _confusion(clustering, pairs, data)
    yield from _sheet(clustering, pairs, data)
    yield from _health(clustering)
    yield from _updates(clustering, data)


def _map(
    clustering: ReportedClustering, pairs: dict[int, int], data: LabelledData
) -> CaptionedFigure:
    """UMAP of the codes, a cluster in the colour of its label."""
    rows = clustering.map_rows
    title = f"{clustering.key}: clusters, named by matched label" if pairs else clustering.key
    first_free = 0 if data.labels is None else int(data.labels.max()) + 1
    colours = matching.renamed(clustering.clusters, pairs, first_free)[rows]
    figure = figures.code_map(clustering.umap, colours, title, data.label_names)
    caption = f"UMAP of {len(rows):,} codes, coloured by cluster."
    if pairs:
        caption += " A cluster bears the name and colour of the label it is matched to."
    return CaptionedFigure(figure, "clusters", caption)


def _confusion(
    clustering: ReportedClustering, pairs: dict[int, int], data: LabelledData
) -> Iterator[CaptionedFigure]:
    """Test rows by label and cluster; nothing without labels."""
    if data.labels is None:
        return
    test = data.mask("test")
    counts, labels, clusters = matching.contingency(data.labels[test], clustering.clusters[test])
    order = sorted(range(len(clusters)), key=lambda i: _place(int(clusters[i]), pairs))
    figure = figures.confusion(
        counts[:, order],
        [figures.class_name(int(label), data.label_names) for label in labels],
        ["noise" if c == matching.NOISE else str(c) for c in clusters[order]],
        f"{clustering.key}: test rows",
    )
    caption = (
        "Test rows by label and cluster, shaded by the share of the label. Clusters stand in "
        "the order of the labels they are matched to, unmatched ones and noise last."
    )
    yield CaptionedFigure(figure, "confusion", caption)


def _sheet(
    clustering: ReportedClustering, pairs: dict[int, int], data: LabelledData
) -> Iterator[CaptionedFigure]:
    """Samples of the largest clusters, in the order of the labels they are matched to; nothing
    where all is noise, or samples cannot be drawn."""
    if not figures.can_be_drawn(data.x.shape[1:]):
        return
    examples = choose_examples(np.asarray(clustering.codes), clustering.clusters, N_PER_KIND)
    if not examples:
        return
    sizes = {e.cluster: int((clustering.clusters == e.cluster).sum()) for e in examples}
    largest = sorted(examples, key=lambda e: -sizes[e.cluster])[:MAX_CLUSTERS]
    largest.sort(key=lambda e: _place(e.cluster, pairs))
    groups = [[data.unit(rows) for rows in (e.nearest, e.farthest, e.torn)] for e in largest]
    names = [str(pairs.get(e.cluster, e.cluster)) for e in largest]
    caption = (
        f"A line per cluster, of all samples{as_bars(data.x.shape[1:])}: on the left the "
        f"{N_PER_KIND} nearest to the mean of its codes, then the farthest, on the right those "
        "most torn between it and another."
    )
    yield CaptionedFigure(grids.sheet(groups, names), "sheet", caption, FEW_COLOURS)


class Examples(NamedTuple):
    """Rows that show one cluster: its heart, its rim, and where it touches another."""

    cluster: int
    nearest: Rows
    """Rows nearest to the cluster's mean, the nearest first."""
    farthest: Rows
    """Rows farthest from the cluster's mean, the farthest first."""
    torn: Rows
    """Rows whose next mean is hardly farther, the most torn first; empty without a next mean."""


def choose_examples(
    z: Float[np.ndarray, "N D"], clusters: Integer[np.ndarray, " N"], n: int
) -> list[Examples]:
    """At most `n` rows of each kind for each cluster; noise, -1, is no cluster.

    Example:
        Means are 5/3 and 11. 2 is the nearest to the first, 0 the farthest, and 3 the most torn:

        >>> z = np.array([[0.0], [2.0], [3.0], [11.0]])
        >>> first, second = choose_examples(z, np.array([0, 0, 0, 1]), n=1)
        >>> [rows.tolist() for rows in first[1:]]
        [[1], [0], [2]]
    """
    names = [int(c) for c in np.unique(clusters) if c >= 0]
    centres = means(z, clusters)[names]  # (K, D)
    examples = []
    for i, cluster in enumerate(names):
        rows = np.flatnonzero(clusters == cluster)
        distances = _distances(z, rows, centres)
        own = distances[:, i]
        by_distance = rows[np.argsort(own, kind="stable")]
        torn = by_distance[:0]
        if len(names) > 1:
            other = np.delete(distances, i, axis=1).min(axis=1)
            torn = rows[np.argsort(other - own, kind="stable")]
        examples.append(Examples(cluster, by_distance[:n], by_distance[::-1][:n], torn[:n]))
    return examples


def _distances(z: np.ndarray, rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Distances (n, K) of some rows (n,) of the codes to centres (K, D)."""
    distances = np.empty((len(rows), len(centres)), np.result_type(z, centres))
    for start in range(0, len(rows), N_TOGETHER):
        own = z[rows[start : start + N_TOGETHER], None]
        distances[start : start + N_TOGETHER] = np.linalg.norm(own - centres, axis=2)
    return distances


def _health(clustering: ReportedClustering) -> Iterator[CaptionedFigure]:
    """What a deep clustering did by update, known without labels; nothing for any other."""
    if clustering.history is None:
        return
    history = clustering.history
    updates, k = history["update"], clustering.info["n_clusters"]
    health = {
        "clusters changed": (updates, history["label_change"]),
        "largest cluster": (updates, history["largest_share"]),
        "effective clusters / k": (updates, history["effective_clusters"] / k),
    }
    figure = figures.curves(health, "share", f"{clustering.key}: health", xlabel="update")
    caption = (
        "By update: share of samples whose cluster changed, share of the largest cluster, and the "
        "number of equal clusters with the same entropy over k; a fall of the last is a collapse."
    )
    yield CaptionedFigure(figure, "health", caption)


def _updates(clustering: ReportedClustering, data: LabelledData) -> Iterator[CaptionedFigure]:
    """Scores of a deep clustering by update, which it has not seen; nothing without labels."""
    if clustering.history is None or data.labels is None:
        return
    updates = clustering.history["update"]
    scores = {name: (updates, values) for name, values in tables.updates(data, clustering).items()}
    title = f"{clustering.key}: scores by update"
    figure = figures.curves(scores, "score", title, xlabel="update")
    caption = "ACC and NMI of all samples at each update, found afterwards from the saved clusters."
    yield CaptionedFigure(figure, "updates", caption)


def _place(cluster: int, pairs: dict[int, int]) -> tuple[int, int]:
    """Sorts matched clusters by label, then the unmatched, then noise."""
    if cluster in pairs:
        return 0, pairs[cluster]
    return (2, 0) if cluster == matching.NOISE else (1, cluster)
