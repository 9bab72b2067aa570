"""Arrays -> pictures. Keeps no state (no pyplot).

Charts are matplotlib `Figure`s, grids of samples uint8 arrays. `save` writes either as a small PNG
and the same input as the same bytes, because results are in git. Colours are Petroff's ten
(arXiv:2107.02270), chosen to stay apart under colour-vision deficiencies; classes 11 to 20 repeat
them with another marker.
"""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer, UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from narrows.rendering import html

Pixels = UInt8[np.ndarray, "height width 3"]
COLOURS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
    "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
MARKERS = ("o", "^")
MAX_NAME = 18  # letters of a class in a legend
N_CLASSES = len(COLOURS) * len(MARKERS)
NOISE_COLOUR = "#c8c8c8"
INK, FAINT = "#222222", "#8a8a8a"
DPI = 120
FEW_COLOURS = 32  # for grids of small samples: a third fewer bytes than 256, and hardly seen
SAMPLE_SIDE = 96  # pixels of an enlarged sample: still a digit when a grid is a 200-pixel tile
MAX_BARS, BAR_HEIGHT, BAR_GREY = 64, 24, 0.25  # of samples that are rows of values
GAP, BLOCK_GAP, GAP_VALUE = 2, 8, 128  # pixels; grey shows between black and between white samples


class CaptionedFigure(NamedTuple):
    """A figure, and what a page says of it."""

    figure: Figure | Pixels
    """A matplotlib chart, or samples as colour pixels (height, width, 3)."""
    name: str
    """Short name, the same for every encoder or clustering: "samples", "map", ..."""
    caption: str
    """Sentences that stand below the figure."""
    n_colours: int = 256
    """Most colours of the saved PNG, 2 to 256; fewer make a smaller file."""


def sample_grid(rows: Sequence[np.ndarray], columns: int = 4, scale: int | None = None) -> Pixels:
    """A near-square grid: in every block, one line per array, one sample per column.

    With original, reconstruction and error as `rows` and four columns this is one block of 3 x 4;
    samples beyond the near-square are left out.

    Args:
        rows: arrays of one shape (n, C, H, W), C 1 or 3, or (n, D), which is drawn as D bars; in
            [0, 1], clipped.
        columns: samples side by side.
        scale: screen pixels per pixel, nearest neighbour; None enlarges to about 96 a sample.
    """
    pictures = [pixels(row) for row in rows]
    n, height, width, _ = pictures[0].shape
    if scale is None:
        scale = max(1, round(SAMPLE_SIDE / max(height, width)))
    columns = min(columns, n)
    n_blocks = min(max(1, round(columns / len(rows))), math.ceil(n / columns))
    strips = []
    for block in range(n_blocks):
        chosen = slice(block * columns, (block + 1) * columns)
        strips += [strip(picture[chosen], columns, scale) for picture in pictures]
        strips.append(np.full((BLOCK_GAP - GAP, strips[0].shape[1], 3), GAP_VALUE, np.uint8))
    return np.concatenate(strips[:-1])[:-GAP, :-GAP]


def reconstructions(
    x: np.ndarray, noisy: np.ndarray, x_hat: np.ndarray, columns: int = 4
) -> Pixels:
    """`sample_grid` with rows for original, corrupted, reconstruction and error.

    Args:
        x, noisy, x_hat: clean, as seen by the encoder, and decoded; arrays as for `sample_grid`.
            The corrupted row is left out where nothing was corrupted.
    """
    corrupted = [] if np.array_equal(x, noisy) else [noisy]
    return sample_grid([x, *corrupted, x_hat, np.abs(x - x_hat)], columns)


def code_histogram(z: Float[np.ndarray, "N D"]) -> Figure:
    """How often each code value occurs, log scale; mean and share of exact zeros in the title."""
    zeros_fraction = float(np.mean(z == 0))
    figure, axes = chart(f"Code values: mean {z.mean():.3g}, {zeros_fraction:.1%} exact zeros")
    axes.hist(z.ravel(), bins=60, color=COLOURS[0], log=True)
    axes.set_xlabel("code value")
    axes.set_ylabel("count")
    return figure


def class_name(value: int, names: Sequence[str]) -> str:
    """The name of a class, shortened and without what matplotlib would take for a formula; or its
    number, where it has none.

    >>> class_name(1, ["cats", "dogs $ & very long-haired ones"]), class_name(2, ["cats", "dogs"])
    ('dogs \\\\$ & very lon…', '2')
    """
    if value >= len(names):
        return str(value)
    name = "".join(c if c.isprintable() else " " for c in names[value])
    return (name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…").replace("$", r"\$")


def code_map(
    points: Float[np.ndarray, "N 2"],
    colours: Integer[np.ndarray, " N"] | None,
    title: str,
    names: Sequence[str] = (),
) -> Figure:
    """Scatter of points in the plane, one colour per class; -1 (noise) is grey and lies below.

    The legend names up to 20 classes; of more, the colours repeat and the legend is left out.
    Without classes all points have one colour. `names` are those of classes 0, 1, ...; classes
    beyond them are called by their number.
    """
    figure, axes = chart(title)
    classes = np.unique([] if colours is None else colours).astype(int)
    if colours is None:
        axes.scatter(points[:, 0], points[:, 1], s=7, c=COLOURS[0], linewidths=0, alpha=0.8)
    for value in classes.tolist():
        x, y = points[colours == value].T
        colour, marker, label = NOISE_COLOUR, "o", "noise"
        if value >= 0:
            colour, label = COLOURS[value % len(COLOURS)], class_name(value, names)
            marker = MARKERS[value // len(COLOURS) % len(MARKERS)]
        axes.scatter(x, y, s=7, c=colour, marker=marker, linewidths=0, alpha=0.8, label=label)
    axes.set_xticks([])
    axes.set_yticks([])
    if 0 < len(classes) <= N_CLASSES:
        axes.legend(
            loc="center left",
            bbox_to_anchor=(1, 0.5),
            frameon=False,
            markerscale=2.5,
            handletextpad=0,
        )
    return figure


def confusion(
    matrix: Integer[np.ndarray, "R C"],
    row_names: Sequence[str],
    column_names: Sequence[str],
    title: str,
) -> Figure:
    """Counts of (label, cluster) pairs; the shade is the share of the row, so of the label."""
    figure, axes = chart(title)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xlabel("cluster")
    axes.set_ylabel("label")
    if max(matrix.shape) > N_CLASSES:  # too small to read
        return figure
    axes.set_xticks(range(len(column_names)), column_names)
    axes.set_yticks(range(len(row_names)), row_names)
    for row, column in np.argwhere(matrix > 0).tolist():
        ink = "white" if shares[row, column] > 0.5 else INK
        count = str(matrix[row, column])
        axes.text(column, row, count, ha="center", va="center", color=ink, fontsize=8)
    return figure


def curves(
    series: Mapping[str, tuple[np.ndarray, np.ndarray]],
    ylabel: str,
    title: str = "",
    xlabel: str = "epoch",
) -> Figure:
    """One line per name, of (epochs, values)."""
    figure, axes = chart(title)
    for i, (name, (x, y)) in enumerate(series.items()):
        marker = "o" if len(x) < 2 else ""  # a line of one point is invisible
        axes.plot(x, y, color=COLOURS[i % len(COLOURS)], marker=marker, linewidth=1.8, label=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=FAINT, alpha=0.25)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.legend(frameon=False)
    return figure


def to_array(figure: Figure) -> Pixels:
    """A matplotlib figure as colour pixels (height, width, 3)."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save(figure: Figure | Pixels, path: Path, n_colours: int = 256) -> None:
    """Writes a PNG of at most `n_colours`, without metadata. Fewer colours make a smaller file."""
    picture = to_array(figure) if isinstance(figure, Figure) else figure
    Image.fromarray(picture).quantize(n_colours, dither=Image.Dither.NONE).save(path)


def data_url(figure: Figure | Pixels) -> str:
    """The figure as the source of a picture within a page; a chart without the paper around it."""
    stream = io.BytesIO()
    if isinstance(figure, Figure):
        figure.savefig(stream, format="png", dpi=110, bbox_inches="tight")
    else:
        Image.fromarray(np.ascontiguousarray(figure)).save(stream, format="png", optimize=True)
    return html.data_url(stream.getvalue())


def is_chart(figure: Figure | Pixels) -> bool:
    """Whether it is a chart with axes, not a grid of samples."""
    return isinstance(figure, Figure)


def can_be_drawn(shape: Sequence[int]) -> bool:
    """Whether samples of a shape can be seen: pictures, and rows of so few values that there is a
    bar for each."""
    return len(shape) > 1 or shape[0] <= MAX_BARS


def pixels(row: np.ndarray) -> UInt8[np.ndarray, "n height width 3"]:
    """(n, C, H, W) or (n, D) in [0, 1] -> colour pixels; a vector as bars."""
    if row.ndim == 2:
        row = bars(row)[:, None]
    if row.ndim != 4 or row.shape[1] not in (1, 3):
        raise ValueError(f"a row is (n, 1 or 3, H, W) or (n, D), found {row.shape}")
    values = (row.clip(0, 1) * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
    return np.broadcast_to(values, (*values.shape[:3], 3))


def bars(values: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n height width"]:
    """Dark bars on white for values in [0, 1], side by side in their order; 0 is a line.

    >>> bars(np.array([[0.0, 1.0]]))[0, -2:, 0].tolist()  # above the line, and the line
    [1.0, 0.25]
    """
    heights = 1 + (values.clip(0, 1) * (BAR_HEIGHT - 1)).round()  # (n, D)
    levels = np.arange(BAR_HEIGHT, 0, -1)[:, None]  # from the top
    is_dark = levels <= heights[:, None]  # (n, height, D)
    width = max(1, BAR_HEIGHT // max(1, values.shape[1]))
    wide = is_dark.repeat(width, axis=2)
    if width > 1:
        wide[:, :, width - 1 :: width] = False  # between bars
    return np.where(wide, BAR_GREY, 1.0)


def strip(
    pictures: UInt8[np.ndarray, "n height width 3"],
    columns: int,
    scale: int,
    gap_value: int = GAP_VALUE,
) -> UInt8[np.ndarray, "h w 3"]:
    """Samples side by side, each enlarged and followed by a gap to its right and below."""
    large = pictures.repeat(scale, axis=1).repeat(scale, axis=2)
    missing = columns - len(large)
    gaps = ((0, missing), (0, GAP), (0, GAP), (0, 0))
    framed = np.pad(large, gaps, constant_values=gap_value)
    return np.concatenate(framed, axis=1)


def chart(title: str, height: float = 4.0) -> tuple[Figure, Axes]:
    """A figure of the house's width and manner, `height` inches high, with one pair of axes."""
    figure = Figure(figsize=(4.8, height), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=11, loc="left", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=9)
    return figure, axes
