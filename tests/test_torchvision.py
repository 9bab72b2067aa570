"""Sets of torchvision: CIFAR-10's files by our own hand, pictures of many sizes, and no network."""

import json
import pickle
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision.datasets as sets
from PIL import Image

from narrows.data import new_files, prepare
from narrows.data.datasets import _drawn, image_folder, torchvision
from narrows.data.datasets._base import Dataset
from narrows.errors import UserError

COLOURS = np.random.default_rng(0).integers(0, 256, (6, 3, 32, 32), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("no network in tests")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with CIFAR-10 of four pictures and two to test on, whose MD5 are not asked for."""
    folder = tmp_path / "root é" / sets.CIFAR10.base_folder
    folder.mkdir(parents=True)
    for name, rows, labels in (("train", slice(4), [3, 9, 3, 0]), ("test", slice(4, 6), [1, 9])):
        content = {"data": COLOURS[rows].reshape(len(labels), -1), "labels": labels}
        (folder / name).write_bytes(pickle.dumps(content))
    names = {"label_names": [f"class {i}" for i in range(10)]}
    (folder / "meta").write_bytes(pickle.dumps(names))
    monkeypatch.setattr(sets.CIFAR10, "train_list", [["train", None]])
    monkeypatch.setattr(sets.CIFAR10, "test_list", [["test", None]])
    meta = {"filename": "meta", "key": "label_names", "md5": None}
    monkeypatch.setattr(sets.CIFAR10, "meta", meta)
    return folder.parent


def load(**options: Any) -> Dataset:
    cfg = torchvision.Config(**options)
    torchvision.fetch(cfg, Path("raw"))
    return torchvision.load(cfg, Path("raw"))


def test_cifar10_is_its_pictures_classes_and_parts(cifar: Path) -> None:
    data = load(dataset="CIFAR10", root=str(cifar))
    np.testing.assert_array_equal(data.x, COLOURS)
    assert data.labels is not None
    assert data.labels.tolist() == [3, 9, 3, 0, 1, 9]
    assert data.label_names is not None
    assert data.label_names[9] == "class 9"
    assert data.is_test is not None
    assert data.is_test.tolist() == [False] * 4 + [True] * 2
    assert data.names == ["train/0", "train/1", "train/2", "train/3", "test/0", "test/1"]
    part = load(dataset="CIFAR10", root=str(cifar), split="test")
    np.testing.assert_array_equal(part.x, COLOURS[4:])
    assert part.is_test is None


def test_another_set_under_the_same_root_is_noticed(cifar: Path) -> None:
    cfg = torchvision.Config(dataset="CIFAR10", root=str(cifar))
    torchvision.fetch(cfg, Path("raw"))
    before = Path("raw/set.json").read_text()
    torchvision.fetch(cfg, Path("raw"))
    assert Path("raw/set.json").read_text() == before
    assert json.loads(before)["pictures"] == {"train": 4, "test": 2}
    content = {"data": COLOURS[:4].reshape(4, -1) ^ 1, "labels": [3, 9, 3, 0]}
    (cifar / sets.CIFAR10.base_folder / "train").write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match="CIFAR10 changed after fetch"):
        torchvision.load(cfg, Path("raw"))


def test_apply_takes_new_pictures_as_files(cifar: Path) -> None:
    """Larger ones are shrunk to the size that was learned from, as those of a folder are."""
    cfg = torchvision.Config(dataset="CIFAR10", root=str(cifar))
    torchvision.fetch(cfg, Path("raw"))
    plugin = prepare.Plugin("datasets", "torchvision", cfg)
    shares = prepare.Prepare(test_fraction=0.2, val_fraction=0.25)
    prepare.prepare(plugin, shares, 0, Path("raw"), Path("data"))
    Path("new").mkdir()
    Image.fromarray(COLOURS[1].transpose(1, 2, 0)).save("new/a.png")
    Image.fromarray(COLOURS[1].transpose(1, 2, 0)).resize((64, 48)).save("new/b.png")
    new = new_files.read([Path("new")], Path("data"), np.load("data/x.npy"))
    assert new.x.shape == (2, 3, 32, 32)
    np.testing.assert_array_equal(new.x[0], COLOURS[1])


def test_pictures_of_many_sizes_are_fitted_like_those_of_a_folder() -> None:
    """ImageFolder of torchvision and our own plug-in on the same files, also on a cut one."""
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    for i, name in enumerate(("a/1.png", "a/2.png", "b/3.png", "b/4.png")):
        Path("root", name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise[: 20 + i]).save(Path("root", name))
    Path("root/b/5.png").write_bytes(Path("root/b/4.png").read_bytes()[:-1500])
    data = load(dataset="ImageFolder", root="root", size=16)
    own = image_folder.Config(path="root", size=16, labels="folders")
    image_folder.fetch(own, Path("folder"))
    expected = image_folder.load(own, Path("folder"))
    np.testing.assert_array_equal(data.x, expected.x)
    assert data.labels is not None
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert data.label_names == ["a", "b"]
    assert [item.path for item in data.skipped] == ["all/4"]
    assert load(dataset="ImageFolder", root="root").x.shape[2:] == (64, 64)


def test_fake_data_goes_through_and_a_size_can_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = (5, (3, 12, 12), 3, None, None, 0)
    monkeypatch.setattr(sets.FakeData.__init__, "__defaults__", defaults)
    data = load(dataset="FakeData")
    picture, label = sets.FakeData()[4]
    np.testing.assert_array_equal(data.x[4], np.asarray(picture).transpose(2, 0, 1))
    assert data.labels is not None
    assert int(data.labels[4]) == int(label)
    assert load(dataset="FakeData", size=6).x.shape == (5, 3, 6, 6)
    with pytest.raises(UserError, match=r"dataset.split: FakeData has no parts, use null"):
        load(dataset="FakeData", split="test")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_kind_of_picture_in_memory_is_drawn(mode: str) -> None:
    pixels = np.full((8, 8), 255, np.uint8)
    picture = Image.fromarray(pixels).convert(mode)
    shape = _drawn.shape_of([picture], None)
    assert (shape.size, shape.colour) == (8, mode not in ("1", "L"))
    x, names, skipped = _drawn.fitted([("a", picture), ("b", "no label")], shape)
    assert x is not None
    assert x.shape == (1, 3 if shape.colour else 1, 8, 8)
    assert x.min() == 255
    assert names == ["a"]
    assert [tuple(item) for item in skipped] == [("b", "no label")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset": "cifar11"}, "no set of pictures 'cifar11'; did you mean CIFAR10"),
        ({"dataset": "CIFAR10"}, r"CIFAR10 is not to be had from none: .*; with download: true"),
        ({"dataset": "CIFAR10", "download": True}, r"not be downloaded into none: .*no network"),
        ({"dataset": "CIFAR10", "split": "val"}, "accepted are train, test and null for CIFAR10"),
        ({"dataset": "SVHN", "split": "x"}, r"dataset.split: SVHN: Unknown value 'x'"),
        ({"dataset": "EMNIST"}, r"dataset.split: EMNIST: .* Valid values are .*letters"),
        ({"dataset": "os"}, "no set of pictures 'os'"),
    ],
)
def test_what_is_not_there_is_a_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(root="none", **options)
    assert not Path("raw").exists()


def test_a_set_without_classes_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets.FakeData, "__getitem__", lambda self, i: ("no picture", {"a": 1}))
    with pytest.raises(UserError, match="FakeData is not pictures with a class"):
        load(dataset="FakeData")
