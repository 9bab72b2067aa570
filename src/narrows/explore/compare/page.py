"""A comparison as one page that opens offline, and as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from narrows.config.messages import plural
from narrows.data.unit import to_unit
from narrows.explore.compare import differences
from narrows.explore.compare.differences import Agreement, Comparison, Metric
from narrows.explore.compare.sides import Reconstructions, Side
from narrows.rendering import figures, html

N_MOVES = 8
N_THUMBS = 12
N_ENCODERS = 8
N_ROWS_LISTED = 2_000
SIDE = 56  # pixels of a sample's picture, at most


@dataclass(frozen=True)
class Strip:
    """Samples side by side."""

    caption: str
    """What the samples are."""
    source: str
    """The picture as a data URL."""


@dataclass(frozen=True)
class AgreementView:
    """What the page shows of one clustering on two sides."""

    agreement: Agreement
    """The two sides' clusters."""
    moves: list[tuple[differences.Move, str | None]]
    """The largest moves, with thumbnails as a data URL where the samples are here."""
    rows: list[int]
    """The first rows of x.npy that change."""


def render(comparison: Comparison) -> str:
    """The page as text, pictures within; whatever a name holds is escaped."""
    environment = html.environment()
    environment.filters |= {"score": _score, "gain": _gain}
    sides, differing = comparison.sides, comparison.differing
    return environment.get_template("comparison.html.j2").render(
        sides=sides,
        params=comparison.params,
        n_params=comparison.n_params,
        metrics=differing,
        n_same=len(comparison.metrics) - len(differing),
        strips=strips(sides),
        pictures=[(s.name, html.data_url(s.picture)) for s in sides if s.picture],
        views=[_view(agreement, sides) for agreement in comparison.agreements],
    )


def in_words(comparison: Comparison) -> str:
    """The tables of the page for a terminal."""
    sides = comparison.sides
    names = [side.name for side in sides]
    lines = []
    for side in sides:
        lines += [f"{side.name}: {side.what}", *(f"  missing: {what}" for what in side.missing)]
    params = [[param.key, *(v or "-" for v in param.values)] for param in comparison.params]
    lines += ["", *_table(["param", *names], params)] if params else ["", "no param differs"]
    header = ["score", *names, *(f"\u0394 {name}" for name in names[1:])]
    scores = []
    for metric in comparison.differing:
        values = [_score(metric, i) for i in range(len(sides))]
        gains = [_gain(metric, i) for i in range(1, len(sides))]
        scores.append([metric.key, *values, *gains])
    lines += ["", *_table(header, scores)] if scores else ["no score differs"]
    agreements = [
        [
            f"{a.first}, {a.other}{': ' + a.clustering if a.clustering else ''}",
            "-" if a.ari is None else f"{a.ari:.4f}",
            f"{len(a.changed):,} of {a.n:,}",
        ]
        for a in comparison.agreements
    ]
    lines += ["", *_table(["clusters of", "ARI", "changed"], agreements)] if agreements else []
    return "\n".join(lines)


def summary(comparison: Comparison) -> str:
    """How much of what can differ does."""
    n_params, n_scores = len(comparison.params), len(comparison.differing)
    return (
        f"{n_params} of {plural(comparison.n_params, 'param')} and {n_scores} of "
        f"{plural(len(comparison.metrics), 'score')} differ"
    )


def strips(sides: Sequence[Side]) -> list[tuple[str, list[Strip]]]:
    """By encoder, the samples and what every side makes of them; at most eight encoders.

    Those whose reconstructions differ come first; of several encoders, those that only one side
    has are left out, and so are samples that cannot be drawn.
    """
    keys = dict.fromkeys(key for side in sides for key in side.samples)
    by_side = {key: [(s.name, s.samples[key]) for s in sides if key in s.samples] for key in keys}
    comparable = [
        key
        for key in keys
        if (len(by_side[key]) > 1 or len(keys) == 1)
        and all(figures.can_be_drawn(samples.x.shape[1:]) for _, samples in by_side[key])
    ]
    comparable.sort(key=lambda key: not _differ([samples for _, samples in by_side[key]]))
    return [(key, _strips_of_encoder(by_side[key])) for key in comparable[:N_ENCODERS]]


def _strips_of_encoder(by_side: Sequence[tuple[str, Reconstructions]]) -> list[Strip]:
    """The samples once, unless a side has others, and every side's reconstructions."""
    strips: list[Strip] = []
    previous: np.ndarray | None = None
    for name, samples in by_side:
        if previous is None or not np.array_equal(previous, samples.x):
            bars = ", a bar for each value from 0 to 1" if samples.x.ndim == 2 else ""
            strips.append(Strip(f"originals{bars}", _strip(samples.x)))
            previous = samples.x
        error = float(np.square(samples.x - samples.x_hat).mean())
        strips.append(Strip(f"{name}, MSE of these {error:.4f}", _strip(samples.x_hat)))
    return strips


def _differ(samples: Sequence[Reconstructions]) -> bool:
    return any(not np.array_equal(samples[0].x_hat, other.x_hat) for other in samples[1:])


def _view(agreement: Agreement, sides: Sequence[Side]) -> AgreementView:
    x = next((side.x for side in sides if side.name == agreement.first), None)
    moves = []
    for move in agreement.moves[:N_MOVES]:
        thumbs = None
        if x is not None and figures.can_be_drawn(x.shape[1:]):
            thumbs = _strip(to_unit(x[move.rows[:N_THUMBS]]))
        moves.append((move, thumbs))
    return AgreementView(agreement, moves, agreement.changed[:N_ROWS_LISTED].tolist())


def _strip(x: np.ndarray) -> str:
    """Samples (n, ...) in [0, 1] side by side, as a data URL."""
    pixels = figures.pixels(np.asarray(x, np.float32))
    picture = figures.strip(pixels, len(x), max(1, SIDE // pixels.shape[1]))
    return figures.data_url(picture)


def _score(metric: Metric, i: int) -> str:
    """Value of side i; over several seeds a mean, its deviation and their number."""
    score = metric.scores[i]
    if score.value is None:
        return "\u2013"
    if score.sd is None:
        return f"{score.value:.4g}"
    return f"{score.value:.4f} \u00b1 {score.sd:.4f} ({score.n_seeds} seeds)"


def _gain(metric: Metric, i: int) -> str:
    """Difference of side i from the first side, over several seeds with its standard error."""
    score = metric.scores[i]
    if score.gain is None:
        return ""
    if score.error is None:
        return f"{score.gain:+.4g}"
    return f"{score.gain:+.4f} \u00b1 {score.error:.4f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table whose columns are as wide as their longest cell."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
