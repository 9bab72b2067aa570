"""Soft resets: the encoder is shaken and clustered anew, and the run goes on."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from helpers.refinements import LABELS, KilledError, job, killed_at, method, same
from narrows.clustering import refine as refinement
from narrows.clustering.job import prepare_start
from narrows.clustering.refine import refine
from narrows.clustering.state import hardened

CLUSTERINGS = {
    "fewer": np.array([1, 0, 0]),
    "a gap": np.array([2, -1, 0]),
    "more": np.array([3, 2, 0]),
    "noise": np.array([-1, -1, -1]),
}  # clusters of the three labels


def test_soft_reset_shakes_the_encoder_and_clusters_anew(tmp_path: Path) -> None:
    shaken = method("idec", reset_every=1, reset_keep=0.5, max_updates=3, tolerance=0.0)
    result = refine(shaken, job(tmp_path / "shaken"))
    plain = refine(method("idec", max_updates=3, tolerance=0.0), job(tmp_path / "plain"))
    assert result.history[0] == plain.history[0]
    assert result.history[-1] != plain.history[-1]
    assert [len(set(hardened(result.soft)[label == LABELS])) for label in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("name", ["idec", "dcn", "vade"])
def test_killed_at_every_update_it_ends_as_if_it_was_not(name: str, tmp_path: Path) -> None:
    """A reset follows every look but the last."""
    shaken = method(name, reset_every=1, reset_keep=0.5, max_updates=3, tolerance=0.0)
    whole = refine(shaken, job(tmp_path / "whole", name))
    for update in (0, 1, 2, 3):
        with pytest.raises(KilledError):
            refine(shaken, job(tmp_path / "cut", name, on_update=killed_at(update)))
    cut = refine(shaken, job(tmp_path / "cut", name))
    assert same(whole, cut)


@pytest.mark.parametrize("name", ["dec", "idec", "dcn", "vade"])
@pytest.mark.parametrize("case", CLUSTERINGS)
def test_goes_on_whatever_the_clusterer_finds(name, case, tmp_path, monkeypatch) -> None:
    clusters = CLUSTERINGS[case][LABELS]
    if case == "more":
        clusters[:10] = 1
    monkeypatch.setattr(refinement, "cluster_codes", lambda *_: ({}, clusters))
    chosen = method(name, reset_every=1, max_updates=2, tolerance=0.0, on_collapse="start")
    refined = refine(chosen, job(tmp_path, name))
    assert refined.soft.shape == (120, 3)
    assert np.isfinite(refined.soft).all()
    assert all(torch.isfinite(part).all() for part in refined.parts.values())


@pytest.mark.parametrize("name", ["dec", "dcn", "vade"])
def test_clusters_keep_their_place_and_one_without_codes_its_centre(
    name, tmp_path, monkeypatch
) -> None:
    """Label 2 is noise now, and the two others are called 1 and 0."""
    task = job(tmp_path, name)
    module = refinement.Refine(method(name), task, prepare_start(task))
    module._look()
    codes = np.random.default_rng(0).normal(size=(120, 3)).astype(np.float32)
    clusters = np.array([1, 0, -1])[LABELS]
    monkeypatch.setattr(refinement, "cluster_codes", lambda *_: ({}, clusters))
    monkeypatch.setattr(refinement, "encode_all", lambda *_: codes)
    monkeypatch.setattr(module, "optimizer", lambda: SimpleNamespace(state={}))
    own = [int(module.start.clusters[label == LABELS][0]) for label in range(3)]
    before = module.parts["centres"][own[2]].tolist()
    module._reset()
    assert module.parts["centres"][own[2]].tolist() == before
    for label in (0, 1):
        mean = codes[task.fitted & (label == LABELS)].mean(axis=0)
        centre = module.parts["centres"][own[label]].detach().numpy()
        np.testing.assert_allclose(centre, mean, rtol=1e-5)
