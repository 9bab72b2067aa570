"""The figures that a report has of a clustering: which ones there are, under which caption."""

from pathlib import Path

import numpy as np

from narrows.clustering import metrics
from narrows.rendering import figures, grids
from narrows.report import encoder_figures, sheets, tables
from narrows.report.artifacts import Clustering, Data
from narrows.report.encoder_figures import Picture

N_SHEET, MAX_SHEET = 6, 20  # samples of each kind, clusters


def clustering_pictures(clustering: Clustering, data: Data, folder: Path) -> list[Picture]:
    """Draws the map of clusters and, with labels, the confusion matrix of the test split."""
    rows = clustering.map_rows
    pairs = tables.matching(data, clustering.clusters)
    title = f"{clustering.key}: clusters, named by matched label" if pairs else clustering.key
    first_free = 0 if data.labels is None else int(data.labels.max()) + 1
    colours = _as_labels(clustering.clusters, pairs, first_free)[rows]
    figure = figures.code_map(clustering.umap, colours, title, data.label_names)
    caption = f"UMAP of {len(rows):,} codes, coloured by cluster."
    if pairs:
        caption += " A cluster bears the name and colour of the label it is matched to."
    drawn = [encoder_figures.save(figure, folder, clustering.key, "clusters", caption)]
    if data.labels is not None:
        test = data.rows("test")
        counts, labels, clusters = metrics.contingency(data.labels[test], clustering.clusters[test])
        order = sorted(range(len(clusters)), key=lambda i: _place(int(clusters[i]), pairs))
        figure = figures.confusion(
            counts[:, order],
            [figures.called(int(label), data.label_names) for label in labels],
            ["noise" if c == metrics.NOISE else str(c) for c in clusters[order]],
            f"{clustering.key}: test rows",
        )
        caption = (
            "Test rows by label and cluster, shaded by the share of the label. Clusters stand in "
            "the order of the labels they are matched to, unmatched ones and noise last."
        )
        drawn.append(encoder_figures.save(figure, folder, clustering.key, "confusion", caption))
    sheet = _sheet(clustering, pairs, data, folder)
    return [*drawn, *sheet, *_updates(clustering, data, folder)]


def _sheet(
    clustering: Clustering, pairs: dict[int, int], data: Data, folder: Path
) -> list[Picture]:
    """Samples of the largest clusters, in the order of the labels they are matched to; no picture
    where all is noise."""
    found = sheets.shown(np.asarray(clustering.codes), clustering.clusters, N_SHEET)
    if not found:
        return []
    sizes = {one.cluster: int((clustering.clusters == one.cluster).sum()) for one in found}
    largest = sorted(found, key=lambda one: -sizes[one.cluster])[:MAX_SHEET]
    largest.sort(key=lambda one: _place(one.cluster, pairs))
    groups = [[data.unit(rows) for rows in one[1:]] for one in largest]
    names = [str(pairs.get(one.cluster, one.cluster)) for one in largest]
    caption = (
        f"A line per cluster, of all samples: on the left the {N_SHEET} nearest to the mean of its "
        "codes, then the farthest, on the right those most torn between it and another."
    )
    figure = grids.sheet(groups, names)
    return [encoder_figures.save(figure, folder, clustering.key, "sheet", caption)]


def _updates(clustering: Clustering, data: Data, folder: Path) -> list[Picture]:
    """What a deep clustering did over time; scores against labels were not seen by it."""
    if clustering.history is None:
        return []
    told, key = clustering.history, clustering.key
    at, k = told["update"], clustering.info["n_clusters"]
    health = {
        "clusters changed": (at, told["label_change"]),
        "largest cluster": (at, told["largest_share"]),
        "effective clusters / k": (at, told["effective_clusters"] / k),
    }
    figure = figures.curves(health, "share", f"{key}: health", xlabel="update")
    caption = (
        "By update: share of samples whose cluster changed, share of the largest cluster, and the "
        "number of equal clusters with the same entropy over k; a fall of the last is a collapse."
    )
    drawn = [encoder_figures.save(figure, folder, key, "health", caption)]
    if data.labels is not None:
        scores = {name: (at, values) for name, values in tables.updates(data, clustering).items()}
        figure = figures.curves(scores, "score", f"{key}: scores by update", xlabel="update")
        caption = (
            "ACC and NMI of all samples at each update, found afterwards from the saved clusters."
        )
        drawn.append(encoder_figures.save(figure, folder, key, "updates", caption))
    return drawn


def _as_labels(clusters: np.ndarray, pairs: dict[int, int], first_free: int) -> np.ndarray:
    """Clusters renamed to their labels; the unmatched get numbers from `first_free` on."""
    surplus = [c for c in np.unique(clusters).tolist() if c not in pairs and c != metrics.NOISE]
    names = {metrics.NOISE: metrics.NOISE, **pairs}
    names |= {cluster: first_free + i for i, cluster in enumerate(surplus)}
    return np.array([names[c] for c in clusters.tolist()])


def _place(cluster: int, pairs: dict[int, int]) -> tuple[int, int]:
    """Sorts matched clusters by label, then the unmatched, then noise."""
    if cluster in pairs:
        return 0, pairs[cluster]
    return (2, 0) if cluster == metrics.NOISE else (1, cluster)
