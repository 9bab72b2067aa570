"""A clustered table as one page that opens offline: profiles of the clusters, odd rows, rules.

python -m narrows table pca-kmeans
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows import (
    outliers,
    params,
    profiles,
    residuals,
    rules,
    samples,
    table_frame,
    table_page,
    work,
)
from narrows.errors import UserError
from narrows.table_page import Findings, Odd

if TYPE_CHECKING:
    import pandas as pd


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m narrows table", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("row", nargs="?", help="of clusterings or deep_clusterings; the last one")
    asked = parser.parse_args(words)
    p = params.load()
    rows = {**p.clusterings, **p.deep_clusterings}
    key = asked.row or list(rows)[-1]
    encoder = params.select(rows, key, "clusterings or deep_clusterings").encoder
    data, made = Path("data", p.dataset.name), Path("artifacts", p.dataset.name)
    columns = table_frame.used(table_frame.schema(data, "table"))
    x = np.load(work.existing(data / "x.npy", "prepare"), mmap_mode="r", allow_pickle=False)
    named = samples.read(data / "samples.csv", len(x))
    stage = f"{'deep_cluster' if key in p.deep_clusterings else 'cluster'}@{key}"
    file = made / "clusterings" / key / "clusters.npz"
    with np.load(work.existing(file, stage), allow_pickle=False) as arrays:
        clusters = arrays["clusters"]
    if len(clusters) != len(x):
        raise UserError(f"{file} has {len(clusters)} rows and x.npy has {len(x)}; run `dvc repro`")
    frame = table_frame.decoded(x, columns)
    traits = profiles.traits(frame, clusters)
    x_hat = residuals.reconstructed(made, encoder, x)
    names = [f"row {row + 1}" for row in range(len(x))] if named is None else named.paths
    odd, n_odd = found_odd(x, x_hat, frame, columns, clusters, names)
    sizes = {int(c): int(n) for c, n in zip(*np.unique(clusters, return_counts=True), strict=True)}
    found = Findings(
        dataset=p.dataset.name,
        clustering=key,
        encoder=encoder,
        sizes=dict(sorted(sizes.items(), key=lambda item: (item[0] < 0, -item[1]))),
        traits=traits,
        dates=[column["name"] for column in columns if column["kind"] == "date"],
        odd=odd,
        n_odd=n_odd,
        mined=rules.mined(frame, clusters, traits),
        plane=plane(
            made, f"refined/{key}" if key in p.deep_clusterings else f"encoders/{encoder}", clusters
        ),
    )
    target = made / "tables" / key
    with work.output(target) as folder:
        table_page.write(folder, found)
    print(f"table: {target / 'index.html'} profiles {len(x):,} rows", flush=True)


def found_odd(
    x: np.ndarray,
    x_hat: np.ndarray,
    frame: pd.DataFrame,
    columns: Sequence[dict[str, Any]],
    clusters: np.ndarray,
    names: Sequence[str],
) -> tuple[list[Odd], int]:
    """The oddest rows, at most 50, and how many there are in all."""
    ends = np.array([column["features"][1] for column in columns])
    relative = outliers.by_column(x, x_hat, ends)
    scores = outliers.scores(relative)
    rows = outliers.unusual(np.square(scores))
    shown = rows[: table_page.N_ODD]
    expected = table_frame.decoded(x_hat[shown], columns)
    odd = []
    for place, row in enumerate(shown):
        squares = np.square(relative[row])
        reasons = [
            (
                str(frame.columns[c]),
                frame.iat[row, c],
                expected.iat[place, c],
                squares[c] / squares.sum(),
            )
            for c in np.argsort(-squares, kind="stable")[:3]
            if squares[c] >= 0.05 * squares.sum()
        ]
        odd.append(Odd(names[row], int(clusters[row]), float(scores[row]), reasons))
    return odd, len(rows)


def plane(made: Path, mapped: str, clusters: np.ndarray) -> np.ndarray:
    """The map that stage `evaluate` made of the codes, with clusters; empty where there is none."""
    file = made / "evaluations" / mapped / "maps.npz"
    if not file.exists():
        return np.empty((0, 3))
    with np.load(file, allow_pickle=False) as maps:
        return np.column_stack([maps["umap"], clusters[maps["rows"]]])
