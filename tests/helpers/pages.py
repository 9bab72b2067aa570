"""The report's page of small tables."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from narrows.report import page
from narrows.report.page import Figures, Report, SavedFigure
from narrows.report.tables import PROBES, Tables, ranked


def render(
    clusterings: list[dict[str, Any]],
    key: str = "deep",
    labelled: bool = True,
    tables: Mapping[str, Any] = {},
    figures: Mapping[str, Any] = {},
    **changes: Any,
) -> str:
    """The page of one encoder `key` and some clusterings, all scored on the test split.

    Args:
        tables: fields of `Tables` that differ.
        figures: fields of `Figures` that differ.
        changes: fields of `Report` that differ.
    """
    autoencoder: dict[str, Any] = dict.fromkeys(("bce", "psnr", "ssim"))
    autoencoder |= {"autoencoder": key, "split": "test", "code_size": 3, "n_parameters": 12_345}
    autoencoder |= {"mse": 0.0, "epochs_run": 0, "seconds": 1.0, "seed": 0}
    code: dict[str, Any] = dict.fromkeys(("mean", "zeros_fraction", "active_units"), 0.5)
    code |= {"autoencoder": key, "code_size": 3, "dead_units": 1, "jacobian_norm": None}
    saved = [SavedFigure("codes", "figures/a b.png", "a caption", is_chart=True)]
    all_tables = Tables(
        autoencoders=[autoencoder],
        clusterings=clusterings,
        n_clusters=[],
        codes=[code | dict.fromkeys(PROBES, 0.25 if labelled else None)],
        robustness=[],
        variational=[],
        seeds=[],
    )
    all_figures = Figures(
        overview=[],
        searches={search.key: [] for search in changes.get("searches", [])},
        encoders={row["encoder"]: saved for row in clusterings} | {key: saved},
        clusterings={row["clustering"]: saved for row in clusterings},
    )
    report = Report(
        dataset="toy",
        title="toy",
        shape=(64,),
        n_per_split={"train": 1000, "val": 100, "test": 100},
        labelled=labelled,
        baselines=["pixels"],
        tables=dataclasses.replace(all_tables, **tables),
        ranking=ranked(clusterings, labelled),
        rungs={},
        claims=[],
        k_sentence="2 clusters taken",
        searches=[],
        figures=dataclasses.replace(all_figures, **figures),
    )
    return page.render(dataclasses.replace(report, **changes))


def clustering(key: str, encoder: str, acc: float) -> dict[str, Any]:
    row = dict.fromkeys(
        ("nmi", "ari", "purity", "acc_covered", "silhouette", "neighbours", "coverage", "seconds"),
        0.5,
    )
    names = {"clustering": key, "encoder": encoder, "clusterer": "kmeans", "split": "test"}
    return {**names, **row, "acc": acc, "n_clusters_found": 10}
