"""Which rows objectives of a search look at."""

from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.plugins import build, row
from narrows.data.on_disk import Samples, StoredSamples
from narrows.search.objectives import _base


def trained(train: Samples) -> _base.Trained:
    return _base.Trained(build(row(), (4,)), train, val=train, seed=0)


@pytest.mark.parametrize("on_disk", [False, True])
def test_of_many_rows_those_judged_come_from_everywhere(
    on_disk: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 rows sorted by value, as data by class: 20 of them are not the first fifth."""
    monkeypatch.setattr(_base, "MAX_ROWS", 20)
    x = np.linspace(0, 1, 100, dtype=np.float32)[:, None].repeat(4, axis=1)
    np.save(tmp_path / "x.npy", x)
    mapped = StoredSamples(np.load(tmp_path / "x.npy", mmap_mode="r"), np.arange(100))
    judged, clusters = _base.clustered(trained(mapped if on_disk else torch.from_numpy(x)), 2)
    assert judged.shape == (20, 4)
    assert len(np.unique(judged[:, 0])) == 20
    assert judged.min() < 0.2 < 0.8 < judged.max()
    assert clusters.shape == (20,)


def test_few_rows_are_judged_as_they_are() -> None:
    x = torch.rand(30, 4, generator=torch.Generator().manual_seed(0))
    assert np.array_equal(_base.clustered(trained(x), 2)[0], x.numpy())
