"""The figures of a report: which ones there are, of which arrays, under which caption."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from narrows.rendering import charts, figures, grids
from narrows.report import tables
from narrows.report.artifacts import Data, Encoder, SearchResult
from narrows.store.choices import ChosenK

N_QUERIES, N_FOUND = 8, 8
N_COLOURS = 32  # of grids of small samples: a third fewer bytes than 256, and hardly seen
SMALL_TILES = (
    "corruptions",
    "interpolations",
    "generated",
    "traversal",
    "filters",
    "neighbours",
    "sheet",
)
TILES = ("samples", *SMALL_TILES)  # pictures of samples: not charts, which need paper below them


class Picture(NamedTuple):
    name: str
    file: str
    """Relative to the folder of the report."""
    caption: str


def overview_pictures(
    encoders: Sequence[Encoder], chosen: ChosenK, data: Data, seed: int, folder: Path
) -> list[Picture]:
    """Draws what is told of all rows: numbers of clusters, error by code size, robustness."""
    drawn = _n_clusters(chosen, folder)
    test = {e.key: (e.train["code_size"], e.train["splits"]["test"]["mse"]) for e in encoders}
    test = {key: (size, mse) for key, (size, mse) in test.items() if mse > 0}
    if test:
        pca = tables.pca_errors(data, seed)
        figure = charts.size_curve(test, pca, "Test error by code size")
        caption = (
            "Mean squared error on the test split against code size, both axes logarithmic. The "
            f"line: 1 to {len(pca)} principal components, the best linear codes. Exact copies are "
            "left out."
        )
        drawn.append(save(figure, folder, "all", "code_sizes", caption))
    given = encoders[0].evaluation.scores["robustness"]
    if given:
        rows = [[psnr["psnr_in"] for psnr in given.values()]]
        rows += [
            [psnr["psnr_out"] for psnr in encoder.evaluation.scores["robustness"].values()]
            for encoder in encoders
        ]
        names = ["(corrupted input)", *(encoder.key for encoder in encoders)]
        figure = charts.heat_table(rows, names, list(given), "PSNR after corruption, dB")
        caption = (
            "PSNR in dB of the reconstruction of corrupted test samples against the clean ones; "
            "higher is better. First row: the corrupted samples themselves, the value to beat. A "
            "dash is a copy without error."
        )
        drawn.append(save(figure, folder, "all", "robustness", caption))
    return drawn


def search_pictures(searches: Sequence[SearchResult], folder: Path) -> dict[str, Picture]:
    """By key of a search with two objectives: its trials, and the front."""
    drawn = {}
    for found in (one for one in searches if len(one.objectives) == 2):
        values = np.array([[trial[name] for name in found.objectives] for trial in found.trials])
        beaten = np.array([trial["trial"] not in found.front for trial in found.trials])
        figure = charts.front(values, beaten, found.objectives, f"{found.key}: trials")
        caption = f"{len(values)} trials by both objectives; no other trial beats one of the front."
        drawn[found.key] = save(figure, folder, found.key, "front", caption)
    return drawn


def encoder_pictures(encoder: Encoder, data: Data, seed: int, folder: Path) -> list[Picture]:
    """Draws everything there is of one encoder; labels, where there are any, give colours.

    Samples, neighbours and map come first: the page shows them at once, the rest on demand.
    """
    return [
        _samples(encoder, folder),
        _neighbours(encoder, data, seed, folder),
        *_maps(encoder, data, folder),
        *_space(encoder, data, folder),
        *_specimens(encoder, folder),
        *_curves(encoder, folder),
        _codes(encoder, folder),
        *_kl_units(encoder, folder),
    ]


def _n_clusters(chosen: ChosenK, folder: Path) -> list[Picture]:
    if chosen.recommended is None:
        return []
    names = {"silhouette": "silhouette", "stability": "stability", "BIC": "bic"}
    measures = {name: [row[key] for row in chosen.curve] for name, key in names.items()}
    ks = [row["n_clusters"] for row in chosen.curve]
    title = f"{chosen.recommended} clusters recommended, {chosen.taken} taken"
    figure = charts.by_n_clusters(measures, ks, chosen.recommended, title)
    caption = (
        "Gaussian mixtures of 2 and more clusters in one map of the codes. The dashed line: the "
        "highest silhouette times stability."
    )
    return [save(figure, folder, "all", "n_clusters", caption)]


def _samples(encoder: Encoder, folder: Path) -> Picture:
    x, noisy, x_hat = (encoder.samples[name] for name in ("x", "noisy", "reconstruction"))
    grid = figures.reconstructions(x, noisy, x_hat, columns=8)
    corrupted = "" if np.array_equal(x, noisy) else "corrupted, "
    caption = f"Validation samples, from the top: original, {corrupted}reconstruction, error."
    return save(grid, folder, encoder.key, "samples", caption)


def _curves(encoder: Encoder, folder: Path) -> list[Picture]:
    if encoder.history is None:
        return []
    epochs = encoder.history["epoch"]
    losses = {name: (epochs, encoder.history[f"{name}/loss"]) for name in ("train", "val")}
    figure = figures.curves(losses, ylabel="loss", title=f"{encoder.key}: loss by epoch")
    caption = "Loss by epoch. Units differ between losses: compare within this figure only."
    return [save(figure, folder, encoder.key, "curves", caption)]


def _specimens(encoder: Encoder, folder: Path) -> list[Picture]:
    """What `evaluate` left of pictures.npz, drawn; which there are depends on the encoder."""
    found, key = encoder.evaluation.pictures, encoder.key
    drawn = []
    names = list(encoder.evaluation.scores["robustness"])
    if names and {"corrupted", "restored"} <= set(found):
        picture = grids.pairs(found["corrupted"], found["restored"], names)
        caption = f"Corrupted samples above their reconstructions: {', '.join(names)}."
        drawn.append(save(picture, folder, key, "corruptions", caption))
    if "interpolations" in found:
        picture = grids.strips(found["interpolations"])
        caption = "Decoded codes on the straight line between the codes of two samples."
        drawn.append(save(picture, folder, key, "interpolations", caption))
    if "samples" in found:
        picture = grids.grid(found["samples"])
        caption = "Decoded codes that were drawn from the prior: samples that never were."
        drawn.append(save(picture, folder, key, "generated", caption))
    if "traversal" in found:
        picture = grids.strips(found["traversal"])
        caption = (
            "Decoded codes of one sample, moved along one unit per row, from low to high; the "
            "unit with the largest KL is at the top."
        )
        drawn.append(save(picture, folder, key, "traversal", caption))
    if "filters" in found:
        picture = grids.grid(found["filters"], gap_value=255)  # grey is a weight of 0
        caption = "Weights of the first layer's units; mid-grey is 0, white positive."
        drawn.append(save(picture, folder, key, "filters", caption))
    return drawn


def _neighbours(encoder: Encoder, data: Data, seed: int, folder: Path) -> Picture:
    queries, rows = tables.nearest_codes(data, encoder, N_QUERIES, seed)
    rows = rows[:, :N_FOUND]
    same = None if data.labels is None else data.labels[rows] == data.labels[queries][:, None]
    found = data.unit(rows.ravel()).reshape(*rows.shape, *data.x.shape[1:])
    caption = (
        f"Test samples and, to their right, the {rows.shape[1]} train samples of the nearest codes."
    )
    if same is not None:
        caption += " Light green frame: the same label; dark red: another."
    picture = grids.retrieval(data.unit(queries), found, same)
    return save(picture, folder, encoder.key, "neighbours", caption)


def _maps(encoder: Encoder, data: Data, folder: Path) -> list[Picture]:
    told = encoder.evaluation
    rows = told.rows
    labels, coloured = None, "."
    if data.labels is not None:
        labels, coloured = data.labels[rows], ", coloured by label."
    title, names = f"{encoder.key}: UMAP of codes", data.label_names
    samples = data.unit(rows)
    figure = grids.thumbnail_map(told.umap, samples, labels, title, names)
    caption = f"UMAP of {len(rows):,} codes with samples at some of their places{coloured}"
    drawn = [save(figure, folder, encoder.key, "map", caption)]
    title = f"{encoder.key}: PCA of codes"
    figure = grids.thumbnail_map(told.pca, samples, labels, title, names)
    caption = f"First two principal components of the same codes, with samples{coloured}"
    return [*drawn, save(figure, folder, encoder.key, "pca", caption)]


def _space(encoder: Encoder, data: Data, folder: Path) -> list[Picture]:
    if data.x.shape[1:] != (3,) or encoder.codes.shape[1] != 2:
        return []
    rows = encoder.evaluation.rows
    x, z = data.unit(rows), np.asarray(encoder.codes[rows])
    figure = charts.flattened(x, z, f"{encoder.key}: three features, two in the code")
    caption = f"The same {len(rows):,} samples in space and as codes; a sample keeps its colour."
    return [save(figure, folder, encoder.key, "space", caption)]


def _codes(encoder: Encoder, folder: Path) -> Picture:
    figure = figures.code_histogram(np.asarray(encoder.codes))
    caption = f"Values of all {encoder.codes.shape[1]} code units over {len(encoder.codes):,} rows."
    return save(figure, folder, encoder.key, "codes", caption)


def _kl_units(encoder: Encoder, folder: Path) -> list[Picture]:
    bound = encoder.evaluation.scores["variational"]
    if bound is None:
        return []
    units = np.sort(np.array(bound["kl_per_unit"], dtype=float))[::-1]
    title = f"{encoder.key}: {bound['kl']:.1f} nats in {bound['active_units']} active units"
    figure = charts.bars(units, "code unit, largest first", "KL, nats", title)
    caption = (
        "KL divergence of each code unit from the prior, in nats: a unit near 0 tells nothing."
    )
    return [save(figure, folder, encoder.key, "kl_units", caption)]


def save(picture: Figure | np.ndarray, folder: Path, key: str, name: str, caption: str) -> Picture:
    """Writes figures/<key>-<name>.png below the folder."""
    file = f"figures/{key}-{name}.png"
    figures.save(picture, folder / file, N_COLOURS if name in SMALL_TILES else 256)
    return Picture(name, file, caption)
