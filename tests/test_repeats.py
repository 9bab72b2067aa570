"""Equal samples have equal codes, although an encoder's last bits depend on where in a batch they
lie: here each place of a batch adds its own 1e-6."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from helpers import refinements
from helpers.plugins import build, plugin, row
from narrows.clustering import job, refine
from narrows.clustering.saved import Saved
from narrows.data import on_disk, repeats
from narrows.data.prepared import Prepared
from narrows.explore import apply
from narrows.explore.apply import Known
from narrows.models import encoders
from narrows.stages import train
from narrows.store.rows import Attempt, Call, Row
from narrows.training.fitting import Fitted

ROWS = np.array([[0.1, 0.2], [0.5, 0.9], [0.3, 0.3]], np.float32)
X = ROWS[[0, 1, 0, 2, 1, 0]]
FIRST = [0, 1, 0, 3, 1, 0]


def drifting(z: np.ndarray) -> np.ndarray:
    """Codes (N, D) that depend on their place."""
    return z + np.arange(len(z), dtype=np.float32)[:, None] * np.float32(1e-6)


def prepared() -> Prepared:
    return Prepared("rows", X, np.array([0, 0, 0, 0, 1, 2], np.uint8), "")


def test_first_of_equal_samples_in_memory_and_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "n_together", lambda _: 2)
    pictures = (X.repeat(2, axis=1) * 255).astype(np.uint8).reshape(6, 1, 2, 2)
    assert repeats.first_equal(torch.from_numpy(pictures)).tolist() == FIRST
    assert repeats.first_equal(on_disk.StoredSamples(pictures, np.arange(6))).tolist() == FIRST
    assert repeats.first_equal(torch.empty(0, 3)).tolist() == []


def test_a_baseline_has_one_code_for_equal_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = plugin("baselines", "identity")
    monkeypatch.setattr(identity.module, "encode", lambda _, x: drifting(x))
    _, codes = encoders.fit_baseline(identity, prepared(), 0)
    np.testing.assert_array_equal(codes, codes[FIRST])
    assert len(np.unique(codes, axis=0)) == 3


def test_a_trained_row_has_one_code_for_equal_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "encode_all", lambda _, x: drifting(x.numpy()))
    fitted = Fitted(build(row(), (2,)).eval(), [{"epoch": 1}], 1, 0.0, "fp32")
    computed = Row("autoencoders.narrow", tmp_path, {}, (), Call("", "", ()))
    train.write(Attempt(computed, "", tmp_path, tmp_path), {}, fitted, {}, prepared(), 0)
    codes = np.load(tmp_path / "codes.npy")
    np.testing.assert_array_equal(codes, drifting(X)[FIRST])


def test_a_refined_encoder_has_one_code_for_equal_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second picture is as the first of its kind, also in the clusters of every look."""
    for module in (job, refine):
        whole = module.encode_all  # type: ignore[attr-defined]
        monkeypatch.setattr(module, "encode_all", lambda m, x, whole=whole: drifting(whole(m, x)))
    x = refinements.samples()
    x[::2] = x[[0, 40, 80]].repeat_interleave(20, dim=0)
    refined = refine.refine(refinements.method("dec"), refinements.job(tmp_path, x=x))
    first = np.arange(120)
    first[::2] = np.repeat([0, 40, 80], 20)
    np.testing.assert_array_equal(refined.codes, refined.codes[first])
    np.testing.assert_array_equal(refined.soft, refined.soft[first])
    np.testing.assert_array_equal(refined.assignments, refined.assignments[:, first])


def test_new_samples_have_the_codes_of_their_equals() -> None:
    """Known ones have theirs, whatever stands beside them; unknown ones the same as one another."""
    kmeans = plugin("clusterers", "kmeans").module
    state = {"centres": ROWS}
    clustering = Saved(
        (2,),
        encode=lambda x: drifting(x.numpy()),
        cluster=lambda z: kmeans.predict(state, z),
        soft=lambda z: kmeans.soft(state, z),
        reconstruct=lambda x: x.numpy(),
        centres=ROWS,
    )
    known = Known(X, drifting(X)[FIRST], np.arange(4), (), sparse.csr_array((len(X), 0)))
    new = np.array([[0.8, 0.1], *ROWS[[1, 0, 1]], [0.8, 0.1]], np.float32)
    described = apply.describe(clustering, known, new, np.zeros((len(new), 0)), n_similar=2)
    codes = described.answer.codes
    np.testing.assert_array_equal(codes[1:4], known.codes[[1, 0, 1]])
    np.testing.assert_array_equal(codes[0], codes[4])
    assert described.similar_distances[1:4, 0].tolist() == [0, 0, 0]
    np.testing.assert_array_equal(clustering.predict(new), described.answer.clusters)
