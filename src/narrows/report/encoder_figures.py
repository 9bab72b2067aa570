"""The figures of encoders: which ones a report has, of which arrays, under which caption."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from narrows.config.messages import plural
from narrows.config.sections import SAMPLES
from narrows.rendering import charts, figures, grids
from narrows.rendering.figures import FEW_COLOURS, CaptionedFigure
from narrows.report import tables
from narrows.report.artifacts import LabelledData, ReportedEncoder, SearchResult
from narrows.store.choices import ChosenK

N_QUERIES, N_NEIGHBOURS = 8, 8


def draw_overview(
    encoders: Sequence[ReportedEncoder], chosen: ChosenK, data: LabelledData, seed: int
) -> Iterator[CaptionedFigure]:
    """What concerns all rows: numbers of clusters, error by code size, robustness."""
    yield from _n_clusters(chosen)
    of_samples = [encoder for encoder in encoders if encoder.input == SAMPLES]  # others' errors
    if of_samples:  # are of features, and compare with nothing here
        yield from _code_sizes(of_samples, data, seed)
        yield from _robustness(of_samples)


def draw_search(search: SearchResult) -> Iterator[CaptionedFigure]:
    """The trials and their front; nothing unless the search has two objectives."""
    if len(search.objectives) != 2:
        return
    values = np.array([[trial[name] for name in search.objectives] for trial in search.trials])
    beaten = np.array([trial["trial"] not in search.front for trial in search.trials])
    figure = charts.front(values, beaten, search.objectives, f"{search.key}: trials")
    caption = (
        f"{plural(len(values), 'trial')} by both objectives; no other trial beats one of the front."
    )
    yield CaptionedFigure(figure, "front", caption)


def draw_encoder(
    encoder: ReportedEncoder, data: LabelledData, seed: int
) -> Iterator[CaptionedFigure]:
    """Every figure of one encoder; labels, where there are any, give colours.

    Samples, neighbours and map come first: the page shows them at once, the rest on demand. Long
    rows of values have no picture, be they the samples or features of them that are encoded.
    """
    can_be_drawn = figures.can_be_drawn(encoder.samples["x"].shape[1:])
    if can_be_drawn:
        yield _samples(encoder)
    if figures.can_be_drawn(data.x.shape[1:]):
        yield _neighbours(encoder, data, seed)
    yield from _maps(encoder, data)
    yield from _space(encoder, data)
    if can_be_drawn:
        yield from _corruptions(encoder)
        yield from _decoded(encoder)
    yield from _filters(encoder)
    yield from _curves(encoder)
    yield _codes(encoder)
    yield from _kl_units(encoder)


def as_bars(shape: Sequence[int]) -> str:
    """How samples of a shape are drawn, for captions; nothing of pictures."""
    return ", a bar for each value from 0 to 1" if len(shape) == 1 else ""


def _n_clusters(chosen: ChosenK) -> Iterator[CaptionedFigure]:
    """Merit by number of clusters, and what it is made of; nothing where none is recommended."""
    best = chosen.recommended
    if best is None:
        return
    measures = {
        name: [row[name] for row in chosen.curve] for name in ("merit", "modularity", "silhouette")
    }
    ks = [row["n_clusters"] for row in chosen.curve]
    title = f"{best.n_clusters} clusters recommended, {chosen.taken} taken"
    figure = charts.by_n_clusters(measures, ks, best.n_clusters, (best.lowest, best.highest), title)
    caption = (
        "Gaussian mixtures of 2 and more clusters, means of two in each of two maps of the codes. "
        "The dashed line: the highest merit, which is modularity times smoothed silhouette; "
        "shaded: at least nine tenths of it."
    )
    yield CaptionedFigure(figure, "n_clusters", caption)


def _code_sizes(
    encoders: Sequence[ReportedEncoder], data: LabelledData, seed: int
) -> Iterator[CaptionedFigure]:
    """Test error by code size beside that of PCA; nothing where all encoders are exact copies."""
    test = {e.key: (e.train["code_size"], e.train["splits"]["test"]["mse"]) for e in encoders}
    test = {key: (size, mse) for key, (size, mse) in test.items() if mse > 0}
    if not test:
        return
    pca = tables.pca_errors(data, seed)
    figure = charts.size_curve(test, pca, "Test error by code size")
    caption = (
        "Mean squared error on the test split against code size, both axes logarithmic. The "
        f"line: 1 to {len(pca)} principal components, the best linear codes. Exact copies are "
        "left out."
    )
    yield CaptionedFigure(figure, "code_sizes", caption)


def _robustness(encoders: Sequence[ReportedEncoder]) -> Iterator[CaptionedFigure]:
    """PSNR by encoder and corruption; nothing where no corruption was tried."""
    corruptions = encoders[0].evaluation.scores["robustness"]
    if not corruptions:
        return
    rows = [[psnr["psnr_in"] for psnr in corruptions.values()]]
    rows += [
        [psnr["psnr_out"] for psnr in encoder.evaluation.scores["robustness"].values()]
        for encoder in encoders
    ]
    names = ["(corrupted input)", *(encoder.key for encoder in encoders)]
    figure = charts.heat_table(rows, names, list(corruptions), "PSNR after corruption, dB")
    caption = (
        "PSNR in dB of the reconstruction of corrupted test samples against the clean ones; "
        "higher is better. First row: the corrupted samples themselves, the value to beat. A "
        "dash is a copy without error."
    )
    yield CaptionedFigure(figure, "robustness", caption)


def _samples(encoder: ReportedEncoder) -> CaptionedFigure:
    """Validation samples, what the encoder saw of them, and their reconstructions."""
    x, noisy, x_hat = (encoder.samples[name] for name in ("x", "noisy", "reconstruction"))
    grid = figures.reconstructions(x, noisy, x_hat, columns=8)
    corrupted = "" if np.array_equal(x, noisy) else "corrupted, "
    caption = (
        f"Validation samples{as_bars(x.shape[1:])}, from the top: original, {corrupted}"
        "reconstruction, error."
    )
    return CaptionedFigure(grid, "samples", caption)


def _neighbours(encoder: ReportedEncoder, data: LabelledData, seed: int) -> CaptionedFigure:
    """Test samples beside the train samples whose codes are nearest to theirs."""
    queries, rows = tables.nearest_codes(data, encoder, N_QUERIES, seed)
    rows = rows[:, :N_NEIGHBOURS]
    same = None if data.labels is None else data.labels[rows] == data.labels[queries][:, None]
    neighbours = data.unit(rows.ravel()).reshape(*rows.shape, *data.x.shape[1:])
    caption = (
        f"Test samples{as_bars(data.x.shape[1:])} and, to their right, the {rows.shape[1]} train "
        "samples of the nearest codes."
    )
    if same is not None:
        caption += " Light green frame: the same label; dark red: another."
    grid = grids.retrieval(data.unit(queries), neighbours, same)
    return CaptionedFigure(grid, "neighbours", caption, FEW_COLOURS)


def _maps(encoder: ReportedEncoder, data: LabelledData) -> Iterator[CaptionedFigure]:
    """UMAP and PCA of the codes, with samples at some of their places."""
    evaluation = encoder.evaluation
    rows = evaluation.rows
    labels = None if data.labels is None else data.labels[rows]
    ending = "." if labels is None else ", coloured by label."
    pictures = data.unit(rows) if data.x.ndim == 4 else None

    def figure(points: np.ndarray, what: str) -> Figure:
        title = f"{encoder.key}: {what} of codes"
        if pictures is None:
            return figures.code_map(points, labels, title, data.label_names)
        return grids.thumbnail_map(points, pictures, labels, title, data.label_names)

    places = "" if pictures is None else " with samples at some of their places"
    caption = f"UMAP of {len(rows):,} codes{places}{ending}"
    yield CaptionedFigure(figure(evaluation.umap, "UMAP"), "map", caption)
    with_samples = "" if pictures is None else ", with samples"
    caption = f"First two principal components of the same codes{with_samples}{ending}"
    yield CaptionedFigure(figure(evaluation.pca, "PCA"), "pca", caption)


def _space(encoder: ReportedEncoder, data: LabelledData) -> Iterator[CaptionedFigure]:
    """Samples of three features beside their codes of two; nothing for other sizes."""
    if data.x.shape[1:] != (3,) or encoder.codes.shape[1] != 2:
        return
    rows = encoder.evaluation.rows
    x, z = data.unit(rows), np.asarray(encoder.codes[rows])
    figure = charts.space_and_code(x, z, f"{encoder.key}: three features, two in the code")
    caption = f"The same {len(rows):,} samples in space and as codes; a sample keeps its colour."
    yield CaptionedFigure(figure, "space", caption)


def _corruptions(encoder: ReportedEncoder) -> Iterator[CaptionedFigure]:
    """Corrupted samples and what the encoder restored; nothing where no corruption was tried."""
    pictures, names = encoder.evaluation.pictures, list(encoder.evaluation.scores["robustness"])
    if names and {"corrupted", "restored"} <= set(pictures):
        grid = grids.pairs(pictures["corrupted"], pictures["restored"], names)
        bars = as_bars(pictures["corrupted"].shape[2:])
        caption = f"Corrupted samples{bars} above their reconstructions: {', '.join(names)}."
        yield CaptionedFigure(grid, "corruptions", caption, FEW_COLOURS)


def _decoded(encoder: ReportedEncoder) -> Iterator[CaptionedFigure]:
    """What `evaluate` decoded from codes of no sample; which there are depends on the encoder."""
    pictures = encoder.evaluation.pictures
    bars = as_bars(encoder.samples["x"].shape[1:])
    if "interpolations" in pictures:
        grid = grids.strips(pictures["interpolations"])
        caption = f"Decoded codes{bars} on the straight line between the codes of two samples."
        yield CaptionedFigure(grid, "interpolations", caption, FEW_COLOURS)
    if "samples" in pictures:
        grid = grids.grid(pictures["samples"])
        caption = f"Decoded codes{bars} that were drawn from the prior: samples that never were."
        yield CaptionedFigure(grid, "generated", caption, FEW_COLOURS)
    if "traversal" in pictures:
        grid = grids.strips(pictures["traversal"])
        caption = (
            f"Decoded codes{bars} of one sample, moved along one unit per row, from low to high; "
            "the unit with the largest KL is at the top."
        )
        yield CaptionedFigure(grid, "traversal", caption, FEW_COLOURS)


def _filters(encoder: ReportedEncoder) -> Iterator[CaptionedFigure]:
    """Weights of the first layer; nothing where they cannot be seen as pictures."""
    pictures = encoder.evaluation.pictures
    if "filters" in pictures:
        grid = grids.grid(pictures["filters"], gap_value=255)  # grey is a weight of 0
        caption = "Weights of the first layer's units; mid-grey is 0, white positive."
        yield CaptionedFigure(grid, "filters", caption, FEW_COLOURS)


def _curves(encoder: ReportedEncoder) -> Iterator[CaptionedFigure]:
    """Loss by epoch; nothing for a baseline."""
    if encoder.history is None:
        return
    epochs = encoder.history["epoch"]
    losses = {name: (epochs, encoder.history[f"{name}/loss"]) for name in ("train", "val")}
    figure = figures.curves(losses, ylabel="loss", title=f"{encoder.key}: loss by epoch")
    caption = "Loss by epoch. Units differ between losses: compare within this figure only."
    yield CaptionedFigure(figure, "curves", caption)


def _codes(encoder: ReportedEncoder) -> CaptionedFigure:
    """Histogram of all values of the codes."""
    figure = figures.code_histogram(np.asarray(encoder.codes))
    caption = (
        f"Values of {plural(encoder.codes.shape[1], 'code unit')} over "
        f"{plural(len(encoder.codes), 'row')}."
    )
    return CaptionedFigure(figure, "codes", caption)


def _kl_units(encoder: ReportedEncoder) -> Iterator[CaptionedFigure]:
    """KL divergence of each code unit; nothing unless the encoder is variational."""
    bound = encoder.evaluation.scores["variational"]
    if bound is None:
        return
    units = np.sort(np.array(bound["kl_per_unit"], dtype=float))[::-1]
    title = f"{encoder.key}: {bound['kl']:.1f} nats in {bound['active_units']} active units"
    figure = charts.bars(units, "code unit, largest first", "KL, nats", title)
    caption = (
        "KL divergence of each code unit from the prior, in nats: a unit near 0 tells nothing."
    )
    yield CaptionedFigure(figure, "kl_units", caption)
