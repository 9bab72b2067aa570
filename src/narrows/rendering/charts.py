"""Charts of scores: what the report compares between encoders, and between units of one code."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from narrows.rendering import figures


def bars(values: Float[np.ndarray, " N"], xlabel: str, ylabel: str, title: str) -> Figure:
    """One bar per value, in their order."""
    figure, axes = figures.chart(title)
    axes.bar(np.arange(1, len(values) + 1), values, color=figures.COLOURS[0])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    return figure


def heat_table(
    values: Sequence[Sequence[float | None]],
    row_names: Sequence[str],
    column_names: Sequence[str],
    title: str,
) -> Figure:
    """Numbers in cells, the darker the larger; a dash where there is none. Grows with its rows."""
    figure, axes = figures.chart(title, height=max(4.0, 1.2 + 0.18 * len(values)))
    shades = np.array([[np.nan if v is None else v for v in row] for row in values], dtype=float)
    low, high = (np.nanmin(shades), np.nanmax(shades)) if np.isfinite(shades).any() else (0, 1)
    axes.imshow(shades, cmap="Blues", vmin=low, vmax=high, aspect="auto")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=7.5)
    axes.set_xticks(range(len(column_names)), column_names, rotation=40, ha="right")
    axes.set_yticks(range(len(row_names)), row_names)
    for (row, column), value in np.ndenumerate(shades):
        text = "\N{EN DASH}" if np.isnan(value) else f"{value:.1f}"
        ink = "white" if value > (low + high) / 2 else figures.INK
        axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=7.5)
    return figure


def size_curve(
    encoders: Mapping[str, tuple[int, float]], pca: Float[np.ndarray, " D"], title: str
) -> Figure:
    """Error against code size, both on log axes: one named point per encoder, a line for PCA.

    Args:
        encoders: (code size, error > 0) by name; an error of zero has no place on a log axis.
        pca: errors of 1, 2, ... principal components. The line may leave the frame at the bottom.
    """
    figure, axes = figures.chart(title)
    sizes, errors = np.array(list(encoders.values())).T
    bottom, top = 0.8 * errors.min(), 1.25 * max(errors.max(), pca.max())
    axes.plot(np.arange(1, len(pca) + 1), pca, color=figures.COLOURS[1], linewidth=1.8, label="PCA")
    axes.scatter(sizes, errors, s=18, color=figures.COLOURS[0], zorder=3)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_ylim(bottom, top)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("code size")
    axes.set_ylabel("mean squared error")
    axes.legend(frameon=False, loc="lower left")
    names = sorted(encoders, key=lambda name: -encoders[name][1])
    heights = [math.log(encoders[name][1] / bottom) / math.log(top / bottom) for name in names]
    for name, height in zip(names, _apart(heights, gap=min(0.05, 1 / len(names))), strict=True):
        axes.annotate(
            name,
            xy=encoders[name],
            xytext=(1.04, height),
            textcoords="axes fraction",
            va="center",
            fontsize=7.5,
            arrowprops={
                "arrowstyle": "-",
                "color": figures.FAINT,
                "linewidth": 0.5,
                "relpos": (0, 0.5),
            },
        )
    return figure


def front(
    trials: Float[np.ndarray, "N 2"],
    beaten: Bool[np.ndarray, " N"],
    names: Sequence[str],
    title: str,
) -> Figure:
    """Trials by two objectives, the `names` of the axes; those that no other beats are joined."""
    figure, axes = figures.chart(title)
    x, y = trials[beaten].T
    axes.scatter(x, y, s=18, color=figures.FAINT, label="beaten by another")
    x, y = trials[~beaten][np.argsort(trials[~beaten, 1])].T
    axes.plot(x, y, color=figures.COLOURS[0], marker="o", linewidth=1.2, label="front")
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    axes.legend(frameon=False)
    return figure


def by_n_clusters(
    measures: Mapping[str, Sequence[float | None]],
    ks: Sequence[int],
    chosen: int,
    around: tuple[int, int],
    title: str,
) -> Figure:
    """One small chart per measure over the number of clusters, with a line at the chosen one.

    The first measure decides: it is twice as high as the others, which have thin lines, and numbers
    from the first to the last of `around` are shaded.
    """
    figure = Figure(figsize=(4.8, 2.4 + 1.2 * len(measures)), dpi=figures.DPI, layout="constrained")
    figure.suptitle(title, fontsize=11, x=0.02, ha="left", color=figures.INK)
    heights = [2] + [1] * (len(measures) - 1)
    every = figure.subplots(len(measures), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    every[0].axvspan(around[0] - 0.5, around[1] + 0.5, color=figures.FAINT, alpha=0.3, linewidth=0)
    for axes, (name, values), colour in zip(every, measures.items(), figures.COLOURS, strict=False):
        known = [np.nan if value is None else value for value in values]
        size, width = (3.5, 1.5) if axes is every[0] else (2.0, 0.8)
        axes.plot(ks, known, color=colour, marker="o", markersize=size, linewidth=width)
        axes.axvline(chosen, color=figures.INK, linestyle="--", linewidth=1)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(figures.FAINT)
        axes.tick_params(colors=figures.INK, labelsize=9)
        axes.set_ylabel(name)
    every[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    every[-1].set_xlabel("number of clusters")
    return figure


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """Descending heights moved as little as this simple rule can, until `gap` lies between them.

    >>> _apart([0.75, 0.75, 0.25], gap=0.25)
    [0.75, 0.5, 0.25]
    >>> _apart([0.25, 0.25, 0.0], gap=0.25)
    [0.5, 0.25, 0.0]
    """
    moved: list[float] = []
    for height in heights:
        moved.append(min([height, *(above - gap for above in moved[-1:])]))
    floor = 0.0
    for i in reversed(range(len(moved))):
        moved[i] = max(moved[i], floor)
        floor = moved[i] + gap
    return moved


def space_and_code(x: Float[np.ndarray, "N 3"], z: Float[np.ndarray, "N 2"], title: str) -> Figure:
    """Points in space above their codes in a plane, in colours by the place in the plane."""
    figure, axes = figures.chart("", height=7.6)
    shades = (z - z.min(axis=0)) / np.maximum(np.ptp(z, axis=0), 1e-12)
    colours = np.column_stack([shades[:, 0], np.full(len(z), 0.35), shades[:, 1]])
    axes.set_subplotspec(figure.add_gridspec(2, 1)[1])
    axes.scatter(z[:, 0], z[:, 1], s=12, c=colours)
    axes.set_xlabel("first code unit")
    axes.set_ylabel("second code unit")
    space: Any = figure.add_subplot(2, 1, 1, projection="3d")
    space.set_title(title, fontsize=11, loc="left", color=figures.INK)
    space.scatter(*x.T, s=12, c=colours, depthshade=False)
    space.set(xlabel="first feature", ylabel="second", zlabel="third")
    return figure
