"""A clustering that found noise alone, in the report: it has scores and pictures, but no sheet."""

from pathlib import Path

import numpy as np

from helpers.toy_artifacts import in_project, read_csv
from narrows.report.clustering_figures import choose_examples
from narrows.stages import report


def test_the_report_leaves_its_sheet_out(tmp_path: Path) -> None:
    noise = np.full(20, -1, np.int32)
    with in_project(tmp_path, np.arange(1280, dtype=np.float32).reshape(20, 64)) as there:
        artifacts = there.folder / "artifacts/toy"
        np.savez(artifacts / "clusterings/noisy/clusters.npz", clusters=noise)
        arrays = {"clusters": noise, "assignments": np.full((2, 20), -1, np.int16)}
        np.savez(artifacts / "deep_clusterings/refined/clusters.npz", **arrays)
        report.main()
    assert there.runs["f-noisy", "toy"].images == ["clusters", "confusion"]
    assert there.runs["f-refined", "toy"].images == ["clusters", "confusion", "health", "updates"]
    assert there.runs["f-good", "toy"].images == ["clusters", "confusion", "sheet"]
    rows = read_csv(tmp_path / "results/toy/clusterings.csv")
    (row,) = (r for r in rows if (r["clustering"], r["split"]) == ("noisy", "test"))
    assert (row["acc"], row["nmi"], row["silhouette"], row["coverage"]) == ("0", "", "", "0")
    assert not list((tmp_path / "results/toy/figures").glob("noisy-sheet*"))


def test_nothing_is_shown_of_noise() -> None:
    assert choose_examples(np.zeros((3, 2)), np.full(3, -1), n=2) == []
