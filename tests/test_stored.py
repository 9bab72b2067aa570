"""Samples on disk: they are read in parts, and give what samples in memory give."""

from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from helpers.refinements import job, method, same, samples
from helpers.trainings import digits, fit, training_row
from narrows.clustering.refine import refine
from narrows.data import blocks, prepare, splits, unit
from narrows.data import on_disk as stored
from narrows.data.on_disk import StoredSamples
from narrows.data.prepared import Prepared
from narrows.models import autoencoder, encoders
from narrows.training import fitting
from narrows.training.batches import Shuffled


def on_disk(x: torch.Tensor, folder: Path) -> StoredSamples:
    """The samples as rows 1, 3, 5, ... of a memory map."""
    whole = np.repeat(x.numpy(), 2, axis=0)
    whole[::2] = 0
    np.save(folder / "x.npy", whole)
    return StoredSamples(np.load(folder / "x.npy", mmap_mode="r"), np.arange(1, len(whole), 2))


def mapped(file: Path) -> int:
    """Kilobytes of a file that are in this process's memory."""
    maps = psutil.Process().memory_maps()
    return sum(region.rss for region in maps if region.path == str(file)) // 1024


def test_reads_as_a_tensor_does(tmp_path: Path) -> None:
    x, _ = digits()
    from_disk = on_disk(x, tmp_path)
    assert len(from_disk) == len(x)
    assert from_disk.shape == tuple(x.shape)
    chosen = torch.tensor([7, 3, 599, 3])
    assert torch.equal(from_disk[chosen], x[chosen])
    assert torch.equal(from_disk[10:20], x[10:20])
    assert torch.equal(from_disk[::7], x[::7])
    assert torch.equal(torch.cat(list(from_disk.split(256))), x)


@pytest.mark.skipif(not psutil.LINUX, reason="only Linux tells which pages of a file are in memory")
def test_leaves_nothing_of_the_file_in_memory(tmp_path: Path) -> None:
    file = tmp_path / "x.npy"
    np.save(file, np.ones((4096, 1, 32, 32), np.uint8))
    x = np.load(file, mmap_mode="r")
    from_disk = StoredSamples(x, np.arange(len(x)))
    assert int(x.sum(dtype=int)) == x.size
    assert mapped(file) > 4000
    assert int(from_disk[torch.arange(4000)].sum()) == 4000 * 1024
    assert mapped(file) == 0
    assert sum(int(block.sum(dtype=int)) for block in blocks.blocks(x)) == x.size
    assert mapped(file) == 0


def test_an_epoch_takes_all_samples_stretch_by_stretch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "BLOCK", 10)
    monkeypatch.setattr(stored, "N_STRETCHES", 4)
    from_disk = on_disk(digits()[0], tmp_path)
    batches = Shuffled(from_disk, 40, lambda: 0, torch.device("cpu"))
    order = [rows for block in batches for (rows,) in block]
    assert torch.equal(torch.cat(order).sort().values, torch.arange(600))
    stretches = [set((rows // 10).tolist()) for rows in order]
    assert all(len(stretch) == 4 for stretch in stretches)
    assert max(max(stretch) - min(stretch) for stretch in stretches) > 20  # from anywhere
    assert any(rows.tolist() != sorted(rows.tolist()) for rows in order)
    again = Shuffled(from_disk, 40, lambda: 1, torch.device("cpu"))
    others = [rows for block in again for (rows,) in block]
    assert not torch.equal(torch.cat(order), torch.cat(others))


def test_trains_as_well_as_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "BLOCK", 50)
    chosen = training_row(epochs=8)
    in_memory = fit(chosen, tmp_path / "memory")
    (tmp_path / "val").mkdir()
    train, val = digits()
    train_x, val_x = on_disk(train, tmp_path), on_disk(val, tmp_path / "val")
    work = tmp_path / "disk"
    from_disk = fitting.fit(chosen, train_x, val_x, seed=0, device="cpu", work=work)
    losses = [training.history[-1]["val/loss"] for training in (from_disk, in_memory)]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert losses[0] < 0.9 * from_disk.history[0]["val/loss"]
    codes = autoencoder.encode_all(from_disk.model, train_x)
    np.testing.assert_array_equal(codes, autoencoder.encode_all(from_disk.model, train))


def test_deep_clustering_gives_the_same(tmp_path: Path) -> None:
    chosen = method("idec", max_updates=2)
    x = on_disk(samples(), tmp_path)
    refined = refine(chosen, job(tmp_path / "memory"))
    assert same(refined, refine(chosen, job(tmp_path / "disk", x=x)))


def test_errors_are_those_of_samples_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = digits()[0]
    data = Prepared("digits", on_disk(x, tmp_path).x, np.arange(1200, dtype=np.uint8) % 3, "")
    monkeypatch.setattr(blocks, "BLOCK", 64)

    def halved(x: torch.Tensor) -> torch.Tensor:
        return unit.to_unit(x) / 2

    errors = encoders.errors_by_split(halved, data)
    assert isinstance(data.samples("train"), torch.Tensor)
    monkeypatch.setattr(stored, "IN_MEMORY", 0)
    assert isinstance(data.samples("train"), StoredSamples)
    assert encoders.errors_by_split(halved, data) == errors
    monkeypatch.setattr(stored, "IN_MEMORY", 2**30)
    monkeypatch.setattr(stored, "AT_HAND", 0)
    assert isinstance(data.samples("train"), torch.Tensor)
    assert isinstance(data.in_order("train"), StoredSamples)
    assert encoders.errors_by_split(halved, data) == errors
    for i, split in enumerate(splits.NAMES):
        clean = unit.to_unit(torch.from_numpy(data.x[data.split == i]))
        assert errors[split]["mse"] == pytest.approx((clean / 2).square().mean().item())


def test_few_are_drawn_of_what_would_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = on_disk(digits()[0], tmp_path).x
    data = Prepared("digits", x, np.zeros(1200, np.uint8), "")
    assert len(data.in_memory("train")) == 1200
    monkeypatch.setattr(blocks, "VALUES_IN_MEMORY", 100 * 64 + 63)
    subset = data.in_memory("train")
    assert subset.shape == (100, 1, 8, 8)
    assert torch.equal(subset, data.in_memory("train"))


def test_prepare_writes_what_numpy_would(tmp_path: Path) -> None:
    for i, array in enumerate(
        (np.arange(2500, dtype=np.int64), np.ones((3, 2), np.float32, "F"), np.empty(0, np.int64))
    ):
        prepare.save(tmp_path / f"{i}.npy", array)
        np.save(tmp_path / f"numpy-{i}.npy", np.ascontiguousarray(array))
        content = (tmp_path / f"{i}.npy").read_bytes()
        assert content == (tmp_path / f"numpy-{i}.npy").read_bytes()
