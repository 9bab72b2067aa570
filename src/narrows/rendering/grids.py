"""Pictures of many samples: grids, strips, nearest neighbours, a map with thumbnails.

Samples are arrays as for `figures.sample_grid`: pictures of one or three channels, or vectors that
are drawn as bars, in [0, 1].
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Integer, UInt8
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from PIL import Image, ImageDraw, ImageFont

from narrows.rendering import figures
from narrows.rendering.figures import BLOCK_GAP, DPI, GAP, GAP_VALUE, Pixels

AnyPixels = UInt8[np.ndarray, "_ _ 3"]  # where sizes differ within one call
TILE_SIDE = 56  # pixels of an enlarged sample
MAX_SAMPLES = 36  # samples of a grid: still seen when it is a 200-pixel tile
FRAME = 3
SAME, OTHER = (120, 200, 80), (165, 0, 38)  # light and dark: they differ without colour vision
THUMBNAIL_SIDE = 26
MAX_PER_SIDE = 12  # thumbnails across a map


def grid(samples: np.ndarray, gap_value: int = GAP_VALUE) -> Pixels:
    """The first 36 samples of (n, ...), row by row in a near square."""
    pictures = figures.pixels(samples[:MAX_SAMPLES])
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = [pictures[i : i + columns] for i in range(0, len(pictures), columns)]
    return _rows(rows, gap_value)


def strips(samples: np.ndarray) -> Pixels:
    """Samples (rows, steps, ...): a line for every row, from left to right."""
    return _rows([figures.pixels(row) for row in samples])


def pairs(above: np.ndarray, below: np.ndarray, names: Sequence[str]) -> Pixels:
    """Samples (blocks, n, ...): in each named block the one above the other.

    Eight samples a block, or four and two blocks side by side where there are more than three.
    """
    n_beside, columns = (2, 4) if len(names) > 3 else (1, 8)
    blocks = [
        _named(_rows([figures.pixels(a[:columns]), figures.pixels(b[:columns])]), name)
        for a, b, name in zip(above, below, names, strict=True)
    ]
    blocks += [np.full_like(blocks[0], GAP_VALUE)] * (-len(blocks) % n_beside)
    lines = [_joined(blocks[i : i + n_beside], axis=1) for i in range(0, len(blocks), n_beside)]
    return _joined(lines, axis=0)


def sheet(clusters: Sequence[Sequence[np.ndarray]], names: Sequence[str]) -> Pixels:
    """A named line per cluster: groups of samples (n, ...) side by side, all of n or fewer."""
    n = max(len(group) for groups in clusters for group in groups)
    lines = []
    for groups, name in zip(clusters, names, strict=True):
        tiles = []
        for group in groups:
            pictures = figures.pixels(group)
            empty = np.full((n - len(group), *pictures.shape[1:]), GAP_VALUE, np.uint8)
            tiles.append(_rows([np.concatenate([pictures, empty])]))
        lines.append(_named(_joined(tiles, axis=1), name))
    return _joined(lines, axis=0, gap=GAP)


def retrieval(
    queries: np.ndarray, neighbours: np.ndarray, same: Bool[np.ndarray, "n k"] | None
) -> Pixels:
    """Queries (n, ...) in the first column, then the neighbours (n, k, ...) of every query.

    Args:
        same: whether a neighbour has its query's label: a light green frame, or a dark red one.
            None where there are no labels, and no frames.
    """
    first = _joined([_framed(query, None) for query in figures.pixels(queries)], 0, GAP)
    rows = []
    for i, row in enumerate(neighbours):
        colours = [None] * len(row) if same is None else [SAME if s else OTHER for s in same[i]]
        tiles = zip(figures.pixels(row), colours, strict=True)
        rows.append(_joined([_framed(tile, colour) for tile, colour in tiles], 1, GAP))
    return _joined([first, _joined(rows, 0, GAP)], axis=1)


def thumbnail_map(
    points: Float[np.ndarray, "N 2"],
    samples: np.ndarray,
    labels: Integer[np.ndarray, " N"] | None,
    title: str,
    names: Sequence[str] = (),
) -> Figure:
    """`figures.code_map` with the samples (N, ...) of some points drawn at their place.

    A label gives the colour of a point and of a thumbnail's frame.
    """
    figure = figures.code_map(points, labels, title, names)
    axes = figure.axes[0]
    pictures = figures.pixels(samples)
    for i in apart(points, MAX_PER_SIDE).tolist():
        colour = (
            figures.FAINT if labels is None else figures.COLOURS[labels[i] % len(figures.COLOURS)]
        )
        zoom = THUMBNAIL_SIDE / max(pictures[i].shape[:2]) * 72 / DPI
        box = AnnotationBbox(
            OffsetImage(pictures[i], zoom=zoom),
            tuple(points[i]),
            pad=0.1,
            bboxprops={"edgecolor": colour, "facecolor": colour, "linewidth": 1.2},
        )
        axes.add_artist(box)
    return figure


def apart(points: Float[np.ndarray, "N 2"], n_per_side: int) -> Integer[np.ndarray, " M"]:
    """Rows of points that are at least 1 / n_per_side of the map's side apart, in x or in y.

    Greedy: points nearest to the middle of a cell of a coarse grid come first, and a point that is
    too near to one that was chosen before is left out.

    Example:
        In a map of 2 x 2 cells, the second point is 0.1 off the middle of its cell, the first 0.25:

        >>> apart(np.array([[0.0, 0.0], [0.15, 0.25], [1.0, 1.0]]), n_per_side=2).tolist()
        [1, 2]
    """
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    unit = (points - low) / np.where(extent > 0, extent, 1)  # [0, 1] on both axes
    cells = np.minimum(np.floor(unit * n_per_side), n_per_side - 1)
    off_centre = np.abs(unit * n_per_side - cells - 0.5).max(axis=1)
    chosen: list[int] = []
    for i in np.argsort(off_centre, kind="stable").tolist():
        distances = np.abs(unit[chosen] - unit[i]).max(axis=1)
        if (distances >= 1 / n_per_side).all():
            chosen.append(i)
    return np.array(sorted(chosen))


def _rows(rows: Sequence[np.ndarray], gap_value: int = GAP_VALUE) -> Pixels:
    """Colour pixels (n, height, width, 3) per row, enlarged, with gaps between."""
    scale = _scale(rows[0].shape[1:3])
    columns = max(len(row) for row in rows)
    lines = [figures.strip(row, columns, scale, gap_value) for row in rows]
    return np.concatenate(lines)[:-GAP, :-GAP]


def _framed(tile: np.ndarray, colour: tuple[int, int, int] | None) -> Pixels:
    """One enlarged sample (height, width, 3) with a frame, grey without a colour."""
    scale = _scale(tile.shape[:2])
    large = tile.repeat(scale, axis=0).repeat(scale, axis=1)
    height, width, _ = large.shape
    framed = np.full((height + 2 * FRAME, width + 2 * FRAME, 3), GAP_VALUE, np.uint8)
    if colour is not None:
        framed[:] = colour
    framed[FRAME:-FRAME, FRAME:-FRAME] = large
    return framed


def _named(picture: Pixels, name: str) -> AnyPixels:
    """The picture with its name beside it on the left, read from below."""
    font = ImageFont.load_default(size=15)
    font = ImageFont.load_default(size=min(15, 15 * len(picture) / font.getlength(name)))
    margin = Image.new("RGB", (len(picture), 20), (GAP_VALUE,) * 3)
    ImageDraw.Draw(margin).text((len(picture) // 2, 9), name, "white", font, anchor="mm")
    return np.concatenate([np.rot90(np.asarray(margin)), picture], axis=1)


def _joined(pictures: Sequence[AnyPixels], axis: int, gap: int = BLOCK_GAP) -> AnyPixels:
    """Pictures side by side (axis 1) or one below the other (axis 0), with gaps between."""
    shape = list(pictures[0].shape)
    shape[axis] = gap
    spaced = [part for picture in pictures for part in (np.full(shape, GAP_VALUE), picture)][1:]
    return np.concatenate(spaced, axis=axis).astype(np.uint8)


def _scale(side: Sequence[int]) -> int:
    """How many times a sample of this height and width is enlarged."""
    return max(1, round(TILE_SIDE / max(side)))
