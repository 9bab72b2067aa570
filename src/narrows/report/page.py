"""results/<dataset>/report.html: one static page that opens offline."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from narrows.rendering import html
from narrows.report.artifacts import SearchResult
from narrows.report.claims import Claim
from narrows.report.encoder_figures import TILES, Picture
from narrows.report.ladder import Rung
from narrows.report.tables import Row


def render(
    dataset: str,
    shape: Sequence[int],
    n_per_split: Mapping[str, int],
    labelled: bool,
    baselines: Collection[str],
    autoencoders: Sequence[Row],
    clusterings: Sequence[Row],
    codes: Sequence[Row],
    variational: Sequence[Row],
    seeds: Sequence[Row],
    rungs: Mapping[str, Sequence[Rung]],
    claims: Sequence[Claim],
    searches: Sequence[SearchResult],
    overview_pictures: Sequence[Picture],
    search_pictures: Mapping[str, Picture],
    encoder_pictures: Mapping[str, Sequence[Picture]],
    clustering_pictures: Mapping[str, Sequence[Picture]],
) -> str:
    """The page as text; whatever a name holds is escaped.

    Args:
        shape: of one sample, (C, H, W) or (D,).
        baselines: keys of the encoders that every autoencoder has to beat.
        autoencoders: rows of autoencoders.csv.
        clusterings: rows of clusterings.csv.
        codes: rows of codes.csv.
        variational: rows of variational.csv.
        seeds: rows of seeds.csv.
        rungs: by clustering, those that it has to beat.
        searches: what tuned encoders were chosen from.
        claims: figures of the source documents; empty where the data is not theirs.
        overview_pictures: those that compare all encoders; files relative to the page.
        search_pictures: by the search's key.
        encoder_pictures: by the encoder's key.
        clustering_pictures: by the clustering's key.
    """
    environment = html.environment()
    environment.filters["number"] = _number
    tests = [row for row in autoencoders if row["split"] == "test"]
    ladder = ranked([row for row in clusterings if row["split"] == "test"], labelled)
    return environment.get_template("report.html.j2").render(
        dataset=dataset,
        shape=" x ".join(map(str, shape)),
        n_per_split=n_per_split,
        labelled=labelled,
        baselines=baselines,
        autoencoders=tests,
        clusterings=ladder,
        codes=codes,
        variational=variational,
        seeds=seeds,
        rungs=rungs,
        claims=claims,
        searches=searches,
        finding=finding(ladder, baselines) if labelled else None,
        sampling_error=1.96 * math.sqrt(0.25 / n_per_split["test"]),
        tiles=TILES,
        overview={picture.name: picture for picture in overview_pictures},
        search_pictures=search_pictures,
        encoder_pictures=encoder_pictures,
        clustering_pictures=clustering_pictures,
    )


def ranked(rows: Sequence[Row], labelled: bool) -> list[Row]:
    """Best first: by ACC, without labels by silhouette; undefined scores come last."""
    score = "acc" if labelled else "silhouette"
    return sorted(rows, key=lambda row: math.inf if row[score] is None else -row[score])


def finding(ladder: Sequence[Row], baselines: Collection[str]) -> dict[str, Any] | None:
    """The best clustering of a learned code and of a baseline's, of how many, and the ACC gained.

    None where there is only one kind.
    """
    learned = [row for row in ladder if row["encoder"] not in baselines]
    plain = [row for row in ladder if row["encoder"] in baselines]
    if not (learned and plain):
        return None
    return {
        "learned": learned[0],
        "baseline": plain[0],
        "n_learned": len(learned),
        "n_baseline": len(plain),
        "gain": learned[0]["acc"] - plain[0]["acc"],
    }


def _number(value: float | int | None, digits: int = 3) -> str:
    """A fixed number of decimals with thousands separated, a dash where there is no value."""
    return "\u2013" if value is None else f"{value:,.{digits}f}"
