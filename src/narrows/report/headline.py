"""The ten numbers of an experiment that `dvc metrics` and git keep: headline.json."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from narrows.report.tables import Row, Tables

BEST = ("acc", "nmi", "ari", "purity", "neighbours", "n_clusters_found")
PLAIN = ("acc", "nmi")


def headline(tables: Tables, ranking: Sequence[Row], baselines: Collection[str]) -> dict[str, Any]:
    """Scores on the test split, to four significant digits, by what they are scores of.

    Args:
        ranking: lines of clusterings.csv on the test split, best first.
        baselines: keys of the encoders that nothing trains.

    Returns:
        `clustering`, the best of all; `baseline`, the best on codes of a baseline; `autoencoder`,
        the least error of a trained encoder and the best accuracy of a linear probe on its codes.
        What is not defined is left out.
    """
    plain = [row for row in ranking if row["encoder"] in baselines]
    trained = [r for r in tables.autoencoders if r["autoencoder"] not in baselines]
    errors = [r["mse"] for r in trained if r["split"] == "test" and r["mse"] is not None]
    codes = [r["linear_probe"] for r in tables.codes if r["autoencoder"] not in baselines]
    probes = [accuracy for accuracy in codes if accuracy is not None]
    nested: dict[str, dict[str, float | None]] = {
        "clustering": {name: ranking[0][name] for name in BEST} if ranking else {},
        "baseline": {name: plain[0][name] for name in PLAIN} if plain else {},
        "autoencoder": {
            "mse": min(errors, default=None),
            "linear_probe": max(probes, default=None),
        },
    }
    return {
        what: {name: float(f"{value:.4g}") for name, value in scores.items() if value is not None}
        for what, scores in nested.items()
    }
