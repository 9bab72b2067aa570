"""index.html of a clustered table, and the same as CSV beside it: profiles, odd rows, rules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from narrows.explore.groups import Groups
from narrows.explore.table import profiles
from narrows.explore.table.profiles import Trait
from narrows.explore.table.rules import MinedRules
from narrows.rendering import html
from narrows.store.files import write_csv

N_TRAITS = 10
N_ODD = 50
N_RULES = 40
N_PER_CLUSTER = 5


@dataclass(frozen=True)
class Odd:
    """A row that its encoder reconstructs unusually badly."""

    name: str
    """Name of the row."""
    cluster: int
    """Cluster of the row, -1 is noise."""
    score: float
    """Score of `outliers.scores`: 1 is usual."""
    columns: Sequence[tuple[str, Any, Any, float]]
    """Column, value, another value that is expected, and share of the row's score; the largest
    first."""


@dataclass(frozen=True)
class Findings:
    """What the page of a clustered table shows."""

    groups: Groups
    """What the page says of the clusters."""
    encoder: str
    """Key of the encoder's row."""
    traits: Mapping[int, Sequence[Trait]]
    """How columns differ from all other rows, by cluster."""
    dates: Sequence[str]
    """Columns whose means are seconds since 1970."""
    odd: Sequence[Odd]
    """The oddest rows."""
    n_odd: int | None
    """Number of all odd rows; None where the encoder reconstructs without a loss."""
    mined: MinedRules
    """Rules over columns and clusters."""
    plane: np.ndarray
    """Places (n, 3) on a map of the codes and the cluster; (0, 3) without a map."""


def write(folder: Path, findings: Findings) -> Path:
    """The page's file and its CSVs, in a folder that is there."""
    write_csv(
        folder / "profile.csv",
        [[cluster, *trait] for cluster, traits in findings.traits.items() for trait in traits],
        ["cluster", *Trait._fields],
    )
    write_csv(
        folder / "outliers.csv",
        [
            [odd.name, odd.cluster, odd.score, *column]
            for odd in findings.odd
            for column in odd.columns or [("", "", "", 0.0)]
        ],
        ["row", "cluster", "score", "column", "value", "expected", "share"],
    )
    findings.mined.rules.to_csv(folder / "rules.csv", index=False, float_format="%.6g")
    findings.mined.itemsets.to_csv(folder / "itemsets.csv", index=False, float_format="%.6g")
    page = folder / "index.html"
    page.write_text(_html(findings), encoding="utf-8")
    return page


def _html(findings: Findings) -> str:
    environment = html.environment()
    environment.filters["value"] = value
    environment.filters["share"] = lambda share: f"{100 * share:.0f} %"
    environment.globals["mean"] = lambda trait, number: (
        value(pd.Timestamp(np.datetime64(round(number), "s")))
        if trait.column in findings.dates
        else value(number)
    )
    sizes = findings.groups.sizes
    hues = {cluster: 360 * i / len(sizes) for i, cluster in enumerate(sizes)}
    colours = [
        f".c{place} {{ fill: hsl({hue:.0f} 65% 50%); background: hsl({hue:.0f} 65% 50%); }}"
        for place, hue in enumerate(hues.values())
    ]
    style = html.style("findings.css") + "\n".join(colours) + "\n"
    script = html.script("groups.js") + html.script("cards.js")
    rules = findings.mined.rules
    of_clusters = rules["then"].str.fullmatch(r"cluster \d+")
    return environment.get_template("table.html.j2").render(
        findings=findings,
        n=sum(sizes.values()),
        places={cluster: place for place, cluster in enumerate(sizes)},
        points=_scaled(findings.plane),
        n_traits=N_TRAITS,
        gaps=profiles.gaps(findings.traits),
        of_clusters=_records(rules[of_clusters].groupby("then").head(N_PER_CLUSTER)),
        others=_records(rules[~of_clusters & ~rules["if"].str.contains(r"cluster \d+")]),
        groups=findings.groups.content(),
        levels=findings.groups.levels(),
        style=style,
        style_hash=html.sha256(style),
        script=script,
        script_hash=html.sha256(script),
    )


def value(cell: Any) -> str:
    """A number to four digits, a date as a day, a word as it is; or that it is missing.

    >>> value(1234.567), value(12.0), value(pd.Timestamp(0)), value(math.nan), value("word")
    ('1,235', '12', '1970-01-01', 'missing', 'word')
    """
    if cell is None or cell is pd.NaT or (isinstance(cell, float) and math.isnan(cell)):
        return "missing"
    if isinstance(cell, pd.Timestamp):
        return str(cell.to_datetime64().astype("datetime64[D]"))  # of any year
    if isinstance(cell, float):
        if not math.isfinite(cell):
            return "\u221e" if cell > 0 else "-\u221e"
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.4g}"
    return str(cell)


def _records(rules: pd.DataFrame) -> list[dict[str, Any]]:
    head = rules.head(N_RULES)
    return [dict(zip(head.columns, row, strict=True)) for row in head.itertuples(index=False)]


def _scaled(plane: np.ndarray) -> list[tuple[float, float, int]]:
    """Places within 0 to 100, and the cluster."""
    if not len(plane):
        return []
    low, high = plane[:, :2].min(axis=0), plane[:, :2].max(axis=0)
    places = 2 + 96 * (plane[:, :2] - low) / np.maximum(high - low, 1e-12)
    return [
        (round(x, 1), round(y, 1), int(c)) for (x, y), c in zip(places, plane[:, 2], strict=True)
    ]
