"""The contract of every file in datasets/, on small offline data where the real one is far away."""

import bz2
import gzip
import hashlib
import subprocess
import types
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from narrows.config import plugins
from narrows.config.sections import Prepare
from narrows.data import prepare
from narrows.data.datasets import _idx
from narrows.data.datasets._base import Dataset
from narrows.data.sources import File
from narrows.errors import UserError

GENERATOR = np.random.default_rng(0)
PICTURES = GENERATOR.integers(0, 256, (5, 28, 28), dtype=np.uint8)
CLASSES = np.array([3, 0, 9, 3, 1], dtype=np.uint8)
N_TRAIN = 3  # of the five; the others are the test set


def idx(array: np.ndarray) -> bytes:
    """The IDX format by hand: 0, 0, 8 for bytes, number of dimensions, dimensions, data."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def idx_family(pack: Callable[[bytes], bytes]) -> list[bytes]:
    train, test = slice(N_TRAIN), slice(N_TRAIN, None)
    arrays = [PICTURES[train], CLASSES[train], PICTURES[test], CLASSES[test]]
    return [pack(idx(array)) for array in arrays]


def libsvm(labels: list[int], rows: list[dict[int, float]]) -> bytes:
    lines = [
        " ".join([str(label), *(f"{index}:{value}" for index, value in row.items())]) + "\n"
        for label, row in zip(labels, rows, strict=True)
    ]
    return bz2.compress("".join(lines).encode())


DARK = dict.fromkeys(range(1, 257), -1.0)
SMALL: dict[str, list[bytes]] = {  # what the files of a dataset's FILES hold, in their order
    "mnist": idx_family(bytes),
    "fashion_mnist": idx_family(bytes),
    "kmnist": idx_family(gzip.compress),
    "usps": [
        libsvm([10, 1], [DARK | {1: 1.0}, DARK | {18: 0.5}]),
        libsvm([4], [DARK | {256: 1.0}]),
    ],
}
HERE = ("digits", "mnist_5k")  # inside installed packages: tested for real
OWN = ("image_folder", "points", "table", "text", "array")  # in test files of their own,
THEIRS = ("torchvision", "huggingface")  # and so are these
NAMES = [name for name in plugins.available("datasets") if name not in (*OWN, *THEIRS)]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"a test tried to reach the network: {args}")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.delenv("NARROWS_MIRROR", raising=False)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], types.ModuleType]:
    """A plug-in whose files are small ones, in a mirror of our own."""

    def make(name: str) -> types.ModuleType:
        module = plugins.load("datasets", name)
        if name in HERE:
            return module
        folder = tmp_path / "mirror" / name
        folder.mkdir(parents=True)
        files = []
        for file, content in zip(module.FILES, SMALL[name], strict=True):
            (folder / file.name).write_bytes(content)
            files.append(File(file.name, hashlib.sha256(content).hexdigest(), len(content)))
        monkeypatch.setattr(module, "FILES", tuple(files))
        monkeypatch.setenv("NARROWS_MIRROR", str(tmp_path / "mirror"))
        return module

    return make


def test_every_dataset_is_tested() -> None:
    assert len(NAMES) >= 6
    assert sorted([*SMALL, *HERE]) == NAMES, "give a new dataset small offline data here"


@pytest.mark.parametrize("name", NAMES)
def test_contract(name: str, small: Callable, tmp_path: Path) -> None:
    module = small(name)
    cfg, raw_dir = module.Config(), tmp_path / "raw"
    module.fetch(cfg, raw_dir)
    assert sorted(f.name for f in raw_dir.iterdir()) == sorted(f.name for f in module.FILES)
    dataset = module.load(cfg, raw_dir)
    assert dataset.x.dtype == np.uint8
    assert dataset.x.shape[1] == 1
    assert dataset.labels.min() >= 0
    assert dataset.labels.max() <= 9
    again = module.load(cfg, raw_dir)
    np.testing.assert_array_equal(dataset.x, again.x)
    np.testing.assert_array_equal(dataset.labels, again.labels)


@pytest.mark.parametrize("name", NAMES)
def test_unverified_bytes_are_not_parsed(name: str, small: Callable, tmp_path: Path) -> None:
    module = small(name)
    cfg, raw_dir = module.Config(), tmp_path / "raw"
    with pytest.raises(UserError, match="is missing; run the stage fetch"):
        module.load(cfg, raw_dir)
    module.fetch(cfg, raw_dir)
    first = raw_dir / module.FILES[0].name
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(UserError, match="is not the published file"):
        module.load(cfg, raw_dir)


@pytest.mark.parametrize("name", SMALL)
def test_a_mirror_can_be_set_in_params(
    name: str, small: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = small(name)
    monkeypatch.delenv("NARROWS_MIRROR")
    module.fetch(module.Config(mirror=str(tmp_path / "mirror")), tmp_path / "raw")
    assert (tmp_path / "raw" / module.FILES[0].name).read_bytes() == SMALL[name][0]


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
def test_idx_datasets_are_train_then_test(name: str, small: Callable, tmp_path: Path) -> None:
    module = small(name)
    module.fetch(module.Config(), tmp_path)
    dataset = module.load(module.Config(), tmp_path)
    np.testing.assert_array_equal(dataset.x[:, 0], PICTURES)
    assert dataset.labels.tolist() == [3, 0, 9, 3, 1]
    assert dataset.is_test.tolist() == [False, False, False, True, True]


def test_idx_by_hand(tmp_path: Path) -> None:
    data = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 10, 20, 30, 40, 50, 60])
    (tmp_path / "plain").write_bytes(data)
    (tmp_path / "packed.gz").write_bytes(gzip.compress(data))
    for name in "plain", "packed.gz":
        assert _idx.read(tmp_path / name).tolist() == [[10, 20, 30], [40, 50, 60]]


def test_usps_by_hand(small: Callable, tmp_path: Path) -> None:
    """Pixels -1, 1/2, 1 become 0, 191 (of 191.25), 255; label 10 is the digit 9."""
    module = small("usps")
    module.fetch(module.Config(), tmp_path)
    dataset = module.load(module.Config(), tmp_path)
    expected = np.zeros((3, 1, 16, 16), dtype=np.uint8)
    expected[0, 0, 0, 0] = 255
    expected[1, 0, 1, 1] = 191
    expected[2, 0, 15, 15] = 255
    np.testing.assert_array_equal(dataset.x, expected)
    assert dataset.labels.tolist() == [9, 0, 3]
    assert dataset.is_test.tolist() == [False, False, True]


def test_the_real_mnist_5k(tmp_path: Path) -> None:
    module = plugins.load("datasets", "mnist_5k")
    module.fetch(module.Config(), tmp_path)
    dataset = module.load(module.Config(), tmp_path)
    assert dataset.x.shape == (5000, 1, 28, 28)
    assert np.bincount(dataset.labels).tolist() == [500] * 10
    assert dataset.is_test is None
    # the first stroke of the first zero, as the table has it
    assert dataset.x[0, 0, 4, 15:20].tolist() == [51, 159, 253, 159, 50]


def test_the_real_digits(tmp_path: Path) -> None:
    module = plugins.load("datasets", "digits")
    module.fetch(module.Config(), tmp_path)
    dataset = module.load(module.Config(), tmp_path)
    assert dataset.x.shape == (1797, 1, 8, 8)
    # 0, 0, 5, 13, 9, 1, 0, 0 sixteenths of 255
    assert dataset.x[0, 0, 0].tolist() == [0, 0, 80, 207, 143, 16, 0, 0]
    assert dataset.x.max() == 255
    assert dataset.labels[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]


TABLE = np.zeros((4, 2), dtype=np.float32)


def with_nan() -> np.ndarray:
    table = TABLE.copy()
    table[2, 1] = np.nan
    return table


@pytest.mark.parametrize(
    ("x", "labels", "is_test", "message"),
    [
        (np.zeros((4, 28, 28), np.uint8), None, None, r"found uint8 \(4, 28, 28\)"),
        (np.zeros((4, 2)), None, None, r"found float64 \(4, 2\)"),
        (np.zeros((0, 1, 8, 8), np.uint8), None, None, "the dataset is empty"),
        (np.zeros((4, 0), np.float32), None, None, "the dataset is empty"),
        (with_nan(), None, None, "x holds NaN or infinity, first in row 2"),
        (TABLE, np.zeros(3, np.int64), None, r"labels should be int64 \(4,\) as x, found .*\(3,\)"),
        (TABLE, np.zeros(4), None, "labels should be int64"),
        (TABLE, None, np.zeros(4, np.int64), "is_test should be bool"),
        (TABLE - 0.5, None, None, r"x should be in \[0, 1\], found values from -0.5 to -0.5"),
    ],
)
def test_a_bad_dataset_is_a_sentence(
    x: np.ndarray, labels: np.ndarray | None, is_test: np.ndarray | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        Dataset(x, labels, is_test)


def prepare_files(name: str, folder: Path) -> None:
    """data/<name> as the stages fetch and prepare leave it, in a folder."""
    module = plugins.load("datasets", name)
    dataset = plugins.Plugin("datasets", name, module.Config())
    module.fetch(dataset.config, folder / "raw")
    prepare.prepare(
        dataset, Prepare(test_fraction=0.2, val_fraction=0.25), 7, folder / "raw", folder
    )


def test_x_split_and_labels_are_files_apart(tmp_path: Path) -> None:
    folder = tmp_path / "digits"
    prepare_files("digits", folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "label_names.csv",
        "labels.npy",
        "raw",
        "samples.csv",
        "schema",
        "skipped.csv",
        "split.npy",
        "x.npy",
    ]
    assert (folder / "samples.csv").read_text() == "path,date\n"  # digits have no names
    x, split, labels = (np.load(folder / f"{name}.npy") for name in ("x", "split", "labels"))
    module = plugins.load("datasets", "digits")
    dataset = module.load(module.Config(), folder / "raw")
    np.testing.assert_array_equal(x, dataset.x)  # rows keep the source's order
    np.testing.assert_array_equal(labels, dataset.labels)
    assert labels.dtype == np.int64
    # 1,797 rows: 359.4 -> 359 test; 1,438 others: 359.5 -> 360 val (halves go to the even)
    assert np.bincount(split).tolist() == [1078, 360, 359]


def test_data_without_labels_get_an_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = plugins.load("datasets", "digits")
    unlabelled = Dataset(np.linspace(0, 1, 40, dtype=np.float32).reshape(20, 2), None, None)
    monkeypatch.setattr(module, "load", lambda cfg, raw_dir: unlabelled)
    prepare_files("digits", tmp_path)
    labels = np.load(tmp_path / "labels.npy")
    assert labels.shape == (0,)
    assert labels.dtype == np.int64
    assert np.load(tmp_path / "x.npy").dtype == np.float32
