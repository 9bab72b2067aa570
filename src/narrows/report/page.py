"""results/<dataset>/report.html: one static page that opens offline."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from narrows.rendering import html
from narrows.report import tables
from narrows.report.artifacts import SearchResult
from narrows.report.claims import Claim
from narrows.report.ladder import Rung
from narrows.report.tables import Row, Tables


class SavedFigure(NamedTuple):
    """A figure's file, and what the page says of it."""

    name: str
    file: str
    """Path of the PNG, relative to the folder of the page."""
    caption: str
    is_chart: bool
    """Whether it is a chart on white paper, which a dark page has to dim; else samples."""


@dataclass(frozen=True)
class Figures:
    """Every figure of the page."""

    overview: Sequence[SavedFigure]
    """Figures that compare all encoders."""
    searches: Mapping[str, Sequence[SavedFigure]]
    """Figures by key of a search."""
    encoders: Mapping[str, Sequence[SavedFigure]]
    """Figures by key of an encoder, those first that the page shows at once."""
    clusterings: Mapping[str, Sequence[SavedFigure]]
    """Figures by key of a clustering."""


@dataclass(frozen=True)
class Report:
    """Everything that the page says of one data set."""

    dataset: str
    """Name of the data set."""
    title: str
    """What the page calls the data."""
    shape: Sequence[int]
    """Shape of one sample, (C, H, W) or (D,)."""
    n_per_split: Mapping[str, int]
    """Number of samples by split."""
    labelled: bool
    """Whether there are labels to score with."""
    baselines: Collection[str]
    """Keys of the encoders that every autoencoder has to beat."""
    tables: Tables
    """The lines of all results files."""
    ranking: Sequence[Row]
    """Lines of clusterings.csv on the test split, best first."""
    rungs: Mapping[str, Sequence[Rung]]
    """Clusterings that a clustering has to beat, by its key."""
    claims: Sequence[Claim]
    """Figures of the source documents; empty where the data is not theirs."""
    k_sentence: str
    """How many clusters were taken, and what does as well."""
    searches: Sequence[SearchResult]
    """The searches that tuned encoders were chosen by."""
    figures: Figures
    """Every figure, with files relative to the page."""
    pretrained: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What config.json says of the encoders that others trained, by key."""


def render(report: Report) -> str:
    """The page as text; whatever a name holds is escaped."""
    environment = html.environment()
    environment.filters["number"] = _number
    ranking, baselines = report.ranking, report.baselines
    script = html.script("tables.js")
    return environment.get_template("report.html.j2").render(
        report=report,
        autoencoders=[row for row in report.tables.autoencoders if row["split"] == "test"],
        finding=tables.finding(ranking, baselines) if report.labelled else None,
        sampling_error=1.96 * math.sqrt(0.25 / report.n_per_split["test"]),
        overview={figure.name: figure for figure in report.figures.overview},
        script=script,
        script_hash=html.sha256(script),
    )


def _number(value: float | int | None, digits: int = 3) -> str:
    """A fixed number of decimals with thousands separated, a dash where there is no value."""
    return "\u2013" if value is None else f"{value:,.{digits}f}"
