"""Which rows objectives of a search look at."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from helpers.plugins import build, row
from narrows.data.on_disk import Samples, StoredSamples
from narrows.models.autoencoder import Autoencoder
from narrows.search.objectives import _base, agreement, neighbour_votes


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


def test_neighbours_vote_for_their_own_cluster() -> None:
    """Two groups of 20 samples, far apart: nobody's five neighbours are of the other one. Samples
    on a grid without groups, in two halves: the middle has neighbours on both sides. Samples that
    are all the same: one cluster, which says nothing."""
    generator = torch.Generator().manual_seed(0)
    groups = torch.rand(40, 4, generator=generator) * 0.1 + (torch.arange(40)[:, None] % 2) * 0.9
    assert votes(groups) == 1
    line = torch.linspace(0, 1, 40)[:, None].repeat(1, 4)
    assert 0.7 < votes(line) < 1
    with pytest.warns(ConvergenceWarning):
        assert votes(torch.ones(40, 4)) == 0


def votes(x: torch.Tensor) -> float:
    config = neighbour_votes.Config(n_clusters=2, n_neighbors=5)
    return neighbour_votes.measure(config, trained(x))


def test_a_training_agrees_with_itself_and_the_first_has_no_rival() -> None:
    x = torch.rand(60, 4, generator=torch.Generator().manual_seed(0))
    first, config = trained(x), agreement.Config(n_clusters=3)
    assert agreement.measure(config, first) is None
    itself = dataclasses.replace(first, rival=first.model)
    assert agreement.measure(config, itself) == 1
    torch.manual_seed(1)
    other = Autoencoder(row(), (4,))
    assert 0 < agreement.measure(config, dataclasses.replace(first, rival=other)) < 1
