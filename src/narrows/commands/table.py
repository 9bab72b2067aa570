"""A clustered table as one page that opens offline: profiles of the clusters, odd rows, rules.

narrows table pca-kmeans
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.commands import _base
from narrows.data import table_frame
from narrows.evaluation import outliers
from narrows.explore import residuals
from narrows.explore.table import page, profiles, rules
from narrows.explore.table.page import Findings, Odd
from narrows.store import outputs

if TYPE_CHECKING:
    import pandas as pd


def parser() -> argparse.ArgumentParser:
    """The command line."""
    return _base.row_parser(__name__, __doc__)


def main(words: Sequence[str]) -> int:
    """Writes the page and its CSVs."""
    finished = _base.read_row(parser().parse_args(words).row)
    columns = table_frame.used(table_frame.schema(finished.data, "table"))
    frame = table_frame.decoded(finished.x, columns)
    traits = profiles.traits(frame, finished.clusters)
    x_hat = residuals.reconstructed(finished.artifacts, finished.encoder, finished.x)
    names = finished.names
    odd, n_odd = odd_rows(finished.x, x_hat, frame, columns, finished.clusters, names)
    findings = Findings(
        dataset=finished.dataset,
        clustering=finished.key,
        encoder=finished.encoder,
        sizes=finished.sizes,
        traits=traits,
        dates=[column["name"] for column in columns if column["kind"] == "date"],
        odd=odd,
        n_odd=n_odd,
        mined=rules.mine(frame, finished.clusters, traits),
        plane=finished.plane(),
    )
    target = finished.artifacts / "tables" / finished.key
    with outputs.output(target) as folder:
        page.write(folder, findings)
    print(f"table: {target / 'index.html'} profiles {len(finished.x):,} rows", flush=True)
    return 0


def odd_rows(
    x: np.ndarray,
    x_hat: np.ndarray,
    frame: pd.DataFrame,
    columns: Sequence[dict[str, Any]],
    clusters: np.ndarray,
    names: Sequence[str],
) -> tuple[list[Odd], int]:
    """The oddest rows, at most 50, and how many there are in all."""
    ends = np.array([column["features"][1] for column in columns])
    relative = outliers.by_column(x, x_hat, ends, outliers.usual(x, x_hat, ends))
    scores = outliers.scores(relative)
    rows = outliers.unusual(scores)
    worst = rows[: page.N_ODD]
    expected = table_frame.decoded(x_hat[worst], columns)
    odd = []
    for place, row in enumerate(worst):
        reasons = [
            (str(frame.columns[c]), frame.iat[row, c], expected.iat[place, c], share)
            for c, share in outliers.blamed(relative[row])
        ]
        odd.append(Odd(names[row], int(clusters[row]), float(scores[row]), reasons))
    return odd, len(rows)
