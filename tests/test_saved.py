"""Deep clusterings on disk and codes that are new to them, by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from helpers.plugins import build, plugin, row
from narrows.clustering import saved
from narrows.clustering.saved import Saved
from narrows.clustering.state import one_hot
from narrows.config import plugins
from narrows.store import clusterings, encoders

CENTRES = np.array([[0, 0, 0], [10, 0, 0], [20, 0, 0]], np.float32)  # of the start's k-means


def loaded(
    artifacts: Path,
    method: str,
    names: list[int],
    clusters: list[int],
    n_clusters: int,
    fell_back: bool = False,
    **parts: torch.Tensor,
) -> Saved:
    """A deep clustering of samples of four numbers, whose known ones are in these clusters."""
    encoder, folder = artifacts / "encoders/narrow", artifacts / "deep_clusterings/deep"
    encoder.mkdir(parents=True)
    folder.mkdir(parents=True)
    config: dict[str, Any] = {"kind": "autoencoder", "row": plugins.resolved(row())}
    config["input_shape"] = [4]
    weights = build(row(), (4,)).state_dict()
    named = np.array(clusters)
    codes = CENTRES[named % 3]
    encoders.write(encoder, config, codes, {}, {})
    encoders.write_trained(encoder, weights, [{"epoch": 1}], [])
    clusterings.write_refined(folder, codes, weights, parts, [{"update": 0}])
    state = {"centres": CENTRES, "names": np.array(names)}
    if method != "self_label" and not fell_back:
        state = {}  # the parts tell the clusters
    chosen = {
        "encoder": "narrow",
        "start": plugins.resolved(plugin("clusterers", "kmeans")),
        "method": plugins.resolved(plugin("deep_clusterers", method)),
    }
    info = {"row": chosen, "encoder": "narrow", "fell_back": fell_back}
    clusterings.write(folder, info, state, named, soft=one_hot(named, n_clusters))
    return saved.load(artifacts, "deep")


def test_a_last_round_with_fewer_clusters_keeps_their_columns(tmp_path: Path) -> None:
    """Of four clusters the last round found 0, 2 and 3: column 1 is empty."""
    clustering = loaded(tmp_path, "self_label", [0, 2, 3, -1], [0, 2, 3, 3], 4)
    soft = clustering.soft(CENTRES)
    assert soft.shape == (3, 4)
    assert soft.argmax(axis=1).tolist() == clustering.cluster(CENTRES).tolist() == [0, 2, 3]
    assert soft[:, 1].tolist() == [0, 0, 0]
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-6)


def test_after_a_collapse_new_samples_get_the_clusters_of_the_start(tmp_path: Path) -> None:
    """A code at 4 is in the start's cluster around 0, and nearer to the trained centre at 5."""
    trained = {"centres": torch.tensor([[0.0, 0, 0], [5, 0, 0], [20, 0, 0]])}
    known, z = [0, 1, 2], np.array([[4, 0, 0]], np.float32)
    names = [0, 1, 2, -1]
    whole = loaded(tmp_path / "kept", "dec", names, known, 3, **trained)
    assert whole.cluster(z).tolist() == [1]
    fell_back = loaded(tmp_path / "fell", "dec", names, known, 3, fell_back=True, **trained)
    assert fell_back.cluster(z).tolist() == fell_back.soft(z).argmax(axis=1).tolist() == [0]


def test_a_cluster_that_no_known_sample_is_in_has_a_place(tmp_path: Path) -> None:
    """A new sample falls into it; its distance is that to the nearest cluster with a mean."""
    trained = {"centres": torch.tensor([[1e3, 0, 0], [2e3, 0, 0], [0.0, 0, 0]])}
    clustering = loaded(tmp_path, "dec", [0, 1, 2, -1], [0, 1], 3, **trained)
    answer = clustering.describe(np.zeros((1, 4), np.float32))
    assert answer.clusters.tolist() == [2]
    assert np.isnan(clustering.centres[2]).all()
    nearest = np.linalg.norm(answer.codes - CENTRES[:2], axis=1).min()
    np.testing.assert_allclose(answer.distances, nearest, rtol=1e-6)
