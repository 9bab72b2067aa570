"""index.html of a clustered table, and the same as CSV beside it: profiles, odd rows, rules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from narrows.explore.table.profiles import Trait
from narrows.explore.table.rules import Mined
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
    cluster: int
    score: float
    """Of `outliers.scores`: 1 is usual."""
    columns: Sequence[tuple[str, Any, Any, float]]
    """Column, value, what was expected, share of the row's score; the largest first."""


@dataclass(frozen=True)
class Findings:
    dataset: str
    clustering: str
    encoder: str
    sizes: Mapping[int, int]
    """By cluster, -1 is noise, the largest first."""
    traits: Mapping[int, Sequence[Trait]]
    dates: Sequence[str]
    """Columns whose means are seconds since 1970."""
    odd: Sequence[Odd]
    n_odd: int
    """With those that are not shown."""
    mined: Mined
    plane: np.ndarray
    """(n, 3): places on a map of the codes and the cluster; (0, 3) without a map."""


def write(folder: Path, found: Findings) -> Path:
    """The page's file and its CSVs, in a folder that is there."""
    write_csv(
        folder / "profile.csv",
        [[cluster, *trait] for cluster, told in found.traits.items() for trait in told],
        ["cluster", *Trait._fields],
    )
    write_csv(
        folder / "outliers.csv",
        [
            [odd.name, odd.cluster, odd.score, *column]
            for odd in found.odd
            for column in odd.columns
        ],
        ["row", "cluster", "score", "column", "value", "expected", "share"],
    )
    found.mined.rules.to_csv(folder / "rules.csv", index=False, float_format="%.6g")
    found.mined.itemsets.to_csv(folder / "itemsets.csv", index=False, float_format="%.6g")
    page = folder / "index.html"
    page.write_text(_html(found), encoding="utf-8")
    return page


def _html(found: Findings) -> str:
    environment = html.environment()
    environment.filters["value"] = value
    environment.filters["share"] = lambda share: f"{100 * share:.0f} %"
    environment.globals["mean"] = lambda trait, number: (
        value(pd.Timestamp(number, unit="s")) if trait.column in found.dates else value(number)
    )
    hues = {cluster: 360 * i / len(found.sizes) for i, cluster in enumerate(found.sizes)}
    colours = [
        f".c{place} {{ fill: hsl({hue:.0f} 65% 50%); background: hsl({hue:.0f} 65% 50%); }}"
        for place, hue in enumerate(hues.values())
    ]
    style = html.style("findings.css") + "\n".join(colours) + "\n"
    rules = found.mined.rules
    of_clusters = rules["then"].str.fullmatch(r"cluster \d+")
    return environment.get_template("table.html.j2").render(
        found=found,
        n=sum(found.sizes.values()),
        places={cluster: place for place, cluster in enumerate(found.sizes)},
        points=_scaled(found.plane),
        n_traits=N_TRAITS,
        of_clusters=_records(rules[of_clusters].groupby("then").head(N_PER_CLUSTER)),
        others=_records(rules[~of_clusters & ~rules["if"].str.contains(r"cluster \d+")]),
        style=style,
        style_hash=html.sha256(style),
    )


def value(found: Any) -> str:
    """A number to four digits, a date as a day, a word as it is; or that it is missing.

    >>> value(1234.567), value(12.0), value(pd.Timestamp(0)), value(math.nan), value("word")
    ('1,235', '12', '1970-01-01', 'missing', 'word')
    """
    if found is None or found is pd.NaT or (isinstance(found, float) and math.isnan(found)):
        return "missing"
    if isinstance(found, pd.Timestamp):
        return str(found.date())
    if isinstance(found, float):
        if not math.isfinite(found):
            return "\u221e" if found > 0 else "-\u221e"
        return f"{found:,.0f}" if abs(found) >= 1000 else f"{found:.4g}"
    return str(found)


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
