"""A clustered table as one page that opens offline: profiles of the clusters, odd rows, rules.

narrows table pca-kmeans
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from narrows.commands import _base
from narrows.commands._base import FinishedRow
from narrows.config.messages import plural
from narrows.data import table_frame
from narrows.data.tables import beyond
from narrows.errors import say
from narrows.evaluation import outliers
from narrows.explore import residuals
from narrows.explore.table import page, profiles, rules
from narrows.explore.table.page import Findings, Odd
from narrows.rendering import progress
from narrows.store import outputs


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = _base.row_parser(__name__, __doc__)
    parser.add_argument("--names", type=Path, help="JSON saved by the page: names and merges")
    return parser


@progress.watch("table")
def main(words: Sequence[str]) -> int:
    """Writes the page and its CSVs."""
    options = parser().parse_args(words)
    finished = _base.read_row(options.row)
    columns = table_frame.used(table_frame.schema(finished.data, "table"))
    frame = table_frame.decoded(finished.x, columns)
    traits = profiles.traits(frame, finished.clusters)
    x_hat = residuals.reconstructed(finished.artifacts, finished.encoder, finished.x)
    outside = beyond.read(finished.data / "schema", (len(finished.x), len(columns))).toarray()
    dates = [column["name"] for column in columns if column["kind"] == "date"]
    odd, n_odd = odd_rows(finished, x_hat, outside, columns)
    findings = Findings(
        groups=finished.groups(
            profiles.names(traits, dates),
            lambda coarse: profiles.names(profiles.traits(frame, coarse), dates),
            finished.named(options.names),
        ),
        encoder=finished.encoder,
        traits=traits,
        dates=dates,
        odd=odd,
        n_odd=n_odd,
        mined=rules.mine(frame, finished.clusters, traits),
        plane=finished.plane(),
    )
    target = finished.artifacts / "tables" / finished.key
    with outputs.output(target) as folder:
        page.write(folder, findings)
    say(f"table: {target / 'index.html'} profiles {plural(len(finished.x), 'row')}")
    return 0


def odd_rows(
    finished: FinishedRow,
    x_hat: np.ndarray,
    outside: np.ndarray,
    columns: Sequence[dict[str, Any]],
) -> tuple[list[Odd], int | None]:
    """The oddest rows, at most 50, and how many there are in all: None where the encoder
    reconstructs without a loss, so that none can be told.

    Args:
        x_hat: reconstructions (N, D).
        outside: how far values lie outside what became 0 to 1, (N, C).
        columns: columns that became features.
    """
    x = finished.x
    ends = np.array([column["features"][1] for column in columns])
    compared = table_frame.with_gaps_of(x, x_hat, columns)
    usual = outliers.usual(x, compared, ends)
    relative = outliers.by_column(x, compared, ends, usual, outside)
    scores = outliers.scores(relative)
    if outliers.is_lossless(scores):
        return [], None
    rows = outliers.unusual(scores, finished.learned)
    worst = rows[: page.N_ODD]
    values = table_frame.decoded(x[worst], columns, outside[worst])
    expected = table_frame.decoded(x_hat[worst], columns)
    names = finished.names
    odd = []
    for place, row in enumerate(worst):
        reasons = [
            (str(values.columns[c]), values.iat[place, c], expected.iat[place, c], share)
            for c, share in outliers.blamed(relative[row])
            # a word may be expected, and by less than it is
            if page.value(values.iat[place, c]) != page.value(expected.iat[place, c])
        ]
        odd.append(Odd(names[row], int(finished.clusters[row]), float(scores[row]), reasons))
    return odd, len(rows)
