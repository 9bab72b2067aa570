"""A comparison as one page that opens offline, and as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from narrows.explore.compare import differences
from narrows.explore.compare.differences import Agreement, Metric
from narrows.explore.compare.sides import Samples, Side
from narrows.rendering import figures, html

N_MOVES = 8
N_THUMBS = 12
N_ENCODERS = 8
N_ROWS_LISTED = 2_000
SIDE = 56  # pixels of a shown sample, at most


@dataclass(frozen=True)
class Strip:
    told: str
    source: str
    """A data URL."""


@dataclass(frozen=True)
class Drawn:
    """One clustering on two sides."""

    agreement: Agreement
    moves: list[tuple[differences.Move, str | None]]
    """The largest ones, with thumbnails."""
    listed: list[int]


def render(sides: Sequence[Side]) -> str:
    """The page as text, pictures within; whatever a name holds is escaped."""
    environment = html.environment()
    environment.filters |= {"score": _score, "gain": _gain}
    rows = differences.metric_rows(sides)
    return environment.get_template("comparison.html.j2").render(
        sides=sides,
        params=differences.params(sides),
        n_params=len({key for side in sides for key in side.params}),
        metrics=differences.differing(rows),
        n_same=len(rows) - len(differences.differing(rows)),
        strips=strips(sides),
        pictures=[(s.name, html.data_url(s.picture)) for s in sides if s.picture],
        drawn=[_drawn(a, sides) for a in differences.agreements(sides)],
    )


def in_words(sides: Sequence[Side]) -> str:
    """Tables of the same for a terminal."""
    names = [side.name for side in sides]
    told = []
    for side in sides:
        told += [f"{side.name}: {side.what}", *(f"  missing: {what}" for what in side.missing)]
    rows = [[row.key, *(v or "-" for v in row.values)] for row in differences.params(sides)]
    told += ["", *_table(["param", *names], rows)] if rows else ["", "no param differs"]
    changed = differences.differing(differences.metric_rows(sides))
    of_first = [f"\u0394 {name}" for name in names[1:]]
    scores = []
    for row in changed:
        values = [_score(row, i) for i in range(len(sides))]
        gains = [_gain(row, i) for i in range(1, len(sides))]
        scores.append([row.key, *values, *gains])
    told += ["", *_table(["score", *names, *of_first], scores)] if scores else ["no score differs"]
    found = differences.agreements(sides)
    pairs = [
        [
            f"{a.first}, {a.other}{': ' + a.clustering if a.clustering else ''}",
            "-" if a.ari is None else f"{a.ari:.4f}",
            f"{len(a.changed):,} of {a.n:,}",
        ]
        for a in found
    ]
    told += ["", *_table(["clusters of", "ARI", "changed"], pairs)] if pairs else []
    return "\n".join(told)


def strips(sides: Sequence[Side]) -> list[tuple[str, list[Strip]]]:
    """By encoder: the samples, and what every side makes of them; at most eight encoders, those
    whose reconstructions differ first."""
    keys = dict.fromkeys(key for side in sides for key in side.samples)
    told = [(key, [(s.name, s.samples[key]) for s in sides if key in s.samples]) for key in keys]
    told = [(key, found) for key, found in told if len(found) > 1 or len(keys) == 1]
    told.sort(key=lambda one: not _differ([samples for _, samples in one[1]]))
    drawn = []
    for key, found in told[:N_ENCODERS]:
        shown: list[Strip] = []
        previous: np.ndarray | None = None
        for name, samples in found:
            if previous is None or not np.array_equal(previous, samples.x):
                shown.append(Strip("originals", _strip(samples.x)))
                previous = samples.x
            error = float(np.square(samples.x - samples.x_hat).mean())
            shown.append(Strip(f"{name}, MSE of these {error:.4f}", _strip(samples.x_hat)))
        drawn.append((key, shown))
    return drawn


def _differ(found: Sequence[Samples]) -> bool:
    return any(not np.array_equal(found[0].x_hat, other.x_hat) for other in found[1:])


def _drawn(agreement: Agreement, sides: Sequence[Side]) -> Drawn:
    x = next((side.x for side in sides if side.name == agreement.first), None)
    moves = []
    for move in agreement.moves[:N_MOVES]:
        thumbs = None
        if x is not None:
            stored = x[move.rows[:N_THUMBS]]
            thumbs = _strip(stored.astype(np.float32) / (255 if stored.dtype == np.uint8 else 1))
        moves.append((move, thumbs))
    return Drawn(agreement, moves, agreement.changed[:N_ROWS_LISTED].tolist())


def _strip(x: np.ndarray) -> str:
    """Samples (n, ...) in [0, 1] side by side, as a data URL."""
    pixels = figures.pixels(np.asarray(x, np.float32))
    picture = figures.strip(pixels, len(x), max(1, SIDE // pixels.shape[1]))
    return figures.data_url(picture)


def _score(row: Metric, i: int) -> str:
    """A value; a mean with its deviation and the number of seeds, where there are several."""
    value, sd = row.values[i], row.sds[i]
    if value is None:
        return "\u2013"
    return f"{value:.4g}" if sd is None else f"{value:.4f} \u00b1 {sd:.4f} ({row.n_seeds[i]} seeds)"


def _gain(row: Metric, i: int) -> str:
    """A difference from the first side, with its standard error where seeds tell one."""
    gain, error = row.gains[i], row.errors[i]
    if gain is None:
        return ""
    return f"{gain:+.4g}" if error is None else f"{gain:+.4f} \u00b1 {error:.4f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
