"""The figures of a report: which ones there are, of which arrays, under which caption."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from narrows import figures, metrics, scoring
from narrows.scoring import Clustering, Data, Encoder

MAX_POINTS = 3_000  # of a map: more only overlap


class Picture(NamedTuple):
    name: str
    file: str
    """Relative to the folder of the report."""
    caption: str


def encoder_pictures(encoder: Encoder, data: Data, seed: int, folder: Path) -> list[Picture]:
    """Draws samples, training curves, code histogram and, with labels, the map of labels."""
    drawn = [_samples(encoder, folder)]
    if encoder.history is not None:
        epochs = encoder.history["epoch"]
        losses = {name: (epochs, encoder.history[f"{name}/loss"]) for name in ("train", "val")}
        figure = figures.curves(losses, ylabel="loss", title=f"{encoder.key}: loss by epoch")
        caption = "Loss by epoch. Units differ between losses: compare within this figure only."
        drawn.append(_save(figure, folder, encoder.key, "curves", caption))
    rows = _drawn_rows(data, seed)
    figure = figures.code_histogram(np.asarray(encoder.codes))
    caption = f"Values of all {encoder.codes.shape[1]} code units over {len(encoder.codes):,} rows."
    drawn.append(_save(figure, folder, encoder.key, "codes", caption))
    if data.labels is not None:
        title = f"{encoder.key}: codes by label"
        figure = figures.code_map(_plane(encoder, rows, seed), data.labels[rows], title)
        caption = f"First two principal components of {len(rows):,} codes, coloured by label."
        drawn.append(_save(figure, folder, encoder.key, "labels", caption))
    return drawn


def clustering_pictures(
    clustering: Clustering, encoder: Encoder, data: Data, seed: int, folder: Path
) -> list[Picture]:
    """Draws the map of clusters and, with labels, the confusion matrix of the test split."""
    rows = _drawn_rows(data, seed)
    pairs = scoring.matching(data, clustering.clusters)
    title = f"{clustering.key}: clusters, named by matched label" if pairs else clustering.key
    first_free = 0 if data.labels is None else int(data.labels.max()) + 1
    colours = _as_labels(clustering.clusters, pairs, first_free)[rows]
    figure = figures.code_map(_plane(encoder, rows, seed), colours, title)
    caption = f"First two principal components of {len(rows):,} codes, coloured by cluster."
    if pairs:
        caption += " A cluster bears the number and colour of the label it is matched to."
    drawn = [_save(figure, folder, clustering.key, "clusters", caption)]
    if data.labels is not None:
        test = data.rows("test")
        counts, labels, clusters = metrics.contingency(data.labels[test], clustering.clusters[test])
        order = sorted(range(len(clusters)), key=lambda i: _place(int(clusters[i]), pairs))
        figure = figures.confusion(
            counts[:, order],
            [str(label) for label in labels],
            ["noise" if c == metrics.NOISE else str(c) for c in clusters[order]],
            f"{clustering.key}: test rows",
        )
        caption = (
            "Test rows by label and cluster, shaded by the share of the label. Clusters stand in "
            "the order of the labels they are matched to, unmatched ones and noise last."
        )
        drawn.append(_save(figure, folder, clustering.key, "confusion", caption))
    return drawn


def _samples(encoder: Encoder, folder: Path) -> Picture:
    x, noisy, x_hat = (encoder.samples[name] for name in ("x", "noisy", "reconstruction"))
    grid = figures.reconstructions(x, noisy, x_hat, columns=8)
    corrupted = "" if np.array_equal(x, noisy) else "corrupted, "
    caption = f"Validation samples, from the top: original, {corrupted}reconstruction, error."
    return _save(grid, folder, encoder.key, "samples", caption)


def _save(picture: Figure | np.ndarray, folder: Path, key: str, name: str, caption: str) -> Picture:
    file = f"figures/{key}-{name}.png"
    figures.save(picture, folder / file)
    return Picture(name, file, caption)


def _drawn_rows(data: Data, seed: int) -> np.ndarray:
    """The rows that every map shows, ascending."""
    n = len(data.x)
    return np.sort(np.random.default_rng(seed).choice(n, min(n, MAX_POINTS), replace=False))


def _plane(encoder: Encoder, rows: np.ndarray, seed: int) -> np.ndarray:
    """(n, 2): the first two principal components; a code of one unit lies on a line."""
    from sklearn.decomposition import PCA

    codes = np.asarray(encoder.codes[rows])
    points = PCA(min(2, codes.shape[1]), random_state=seed).fit_transform(codes)
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))


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
