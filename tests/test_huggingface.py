"""Sets of Hugging Face's library, built from local files; without the library only its sentence."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from narrows.config import plugins
from narrows.data import new_files, prepare
from narrows.data.datasets import huggingface
from narrows.data.datasets._base import Dataset
from narrows.errors import UserError

needs_library = pytest.mark.skipif(
    importlib.util.find_spec("datasets") is None, reason="the package datasets is not installed"
)
N = 40


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def rows(tmp_path: Path) -> str:
    """A folder with a table of numbers, words, texts and kinds; its library's cache beside it."""
    folder = tmp_path / "rows"
    folder.mkdir()
    words = ["red,salt wave ship", "blue,tree road hill"]
    lines = [f"{i}.5,{words[i % 2]} n{i},k{i % 3}" for i in range(N)]
    (folder / "train.csv").write_text("\n".join(["size,colour,body,kind", *lines]))
    return str(folder)


@pytest.fixture
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def load(**options: Any) -> Dataset:
    cfg = huggingface.Config(**options)
    huggingface.fetch(cfg, Path("raw"))
    return huggingface.load(cfg, Path("raw"))


def pictures(folder: Path) -> np.ndarray:
    """Twelve grey pictures with a class, one that is none, and one without a class."""
    import datasets

    pixels = np.arange(12, dtype=np.uint8).repeat(100).reshape(12, 10, 10) * 20
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    content = {
        "image": [*map(Image.fromarray, pixels), None, Image.fromarray(pixels[0])],
        "label": [i % 2 for i in range(12)] + [0, None],
    }
    folder.mkdir()
    built = datasets.Dataset.from_dict(content, features=features)
    built.to_parquet(str(folder / "train-00000-of-00001.parquet"))
    return pixels


def test_without_the_library_a_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"needs the package datasets, .*: pip install datasets"):
        load(dataset="ylecun/mnist")
    assert not Path("raw").exists()


def test_what_lies_here_needs_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy as `fetch` leaves it, of which one byte changes."""
    monkeypatch.setitem(sys.modules, "datasets", None)
    cfg = huggingface.Config(dataset="somebody/set", column=("a", "b"))
    Path("raw").mkdir()
    copy = Path("raw/rows.parquet")
    copy.write_bytes(b"rows")
    content = {"settings": plugins.resolved(cfg), "kind": "table", "sha256": "0" * 64}
    Path("raw/set.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="pip install datasets"):  # another digest
        huggingface.fetch(cfg, Path("raw"))
    content["sha256"] = huggingface._digest(copy)
    Path("raw/set.json").write_text(json.dumps(content))
    huggingface.fetch(cfg, Path("raw"))
    with pytest.raises(UserError, match="is not what fetch left"):
        huggingface.load(huggingface.Config(dataset="somebody/set"), Path("raw"))


class Kind:
    """A column's type, as the library names it by its class."""


@pytest.mark.parametrize(
    ("column", "features", "expected"),
    [
        (None, {"a": "int64", "b": "string"}, "table"),
        (None, {"a": "int64", "b": "Image"}, "pictures"),
        ("b", {"a": "int64", "b": "string"}, "text"),
        ("a", {"a": "int64", "b": "Image"}, "table"),
        (("a", "b"), {"a": "int64", "b": "string"}, "table"),
    ],
)
def test_the_types_of_columns_say_what_a_set_is(
    column: Any, features: dict[str, str], expected: str
) -> None:
    types = {}
    for name, kind in features.items():
        types[name] = type("Image" if kind == "Image" else "Value", (Kind,), {"dtype": kind})()
    assert huggingface.kind_of(huggingface.Config(dataset="d", column=column), types) == expected
    with pytest.raises(UserError, match=r"dataset.labels: d has no column 'c'; it has a, b"):
        huggingface.kind_of(huggingface.Config(dataset="d", labels="c"), types)
    nested = {"a": type("List", (Kind,), {})()}
    with pytest.raises(UserError, match=r"d has a \(List\)"):
        huggingface.kind_of(huggingface.Config(dataset="d"), nested)


@needs_library
@pytest.mark.usefixtures("_cache")
def test_columns_are_a_table(rows: str) -> None:
    """size from .5 to 39.5, two colours, and the texts, which all differ, left out."""
    data = load(dataset=rows, labels="kind")
    assert data.x.shape == (N, 3)
    assert data.x[[0, -1], 0].tolist() == [0, 1]
    assert data.label_names == ("k0", "k1", "k2")
    assert load(dataset=rows, column=("size",)).x.shape == (N, 1)
    assert data.schema["dataset"] == "table"


@needs_library
@pytest.mark.usefixtures("_cache")
def test_a_column_is_documents_and_apply_reads_new_ones(rows: str) -> None:
    cfg = huggingface.Config(dataset=rows, column="body", labels="kind")
    huggingface.fetch(cfg, Path("raw"))
    plugin = prepare.Plugin("datasets", "huggingface", cfg)
    shares = prepare.Prepare(test_fraction=0.2, val_fraction=0.25)
    data = prepare.prepare(plugin, shares, 0, Path("raw"), Path("data"))
    assert data.x.shape == (N, 6)  # words of the sea and of the land
    Path("new.csv").write_text("body\nship\n")
    new = new_files.read([Path("new.csv")], Path("data"), np.load("data/x.npy"))
    assert np.count_nonzero(new.x) == 1


@needs_library
@pytest.mark.usefixtures("_cache")
def test_pictures_come_with_their_classes_and_are_copied_once() -> None:
    pixels = pictures(Path("set"))
    data = load(dataset="set", labels="label")
    np.testing.assert_array_equal(data.x[:, 0], pixels)
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1] * 6
    assert data.label_names == ("cat", "dog")
    assert [tuple(item) for item in data.skipped] == [("row 13", "empty"), ("row 14", "no label")]
    assert data.names is not None
    assert data.names[-1] == "row 12"
    before = Path("raw/rows.parquet").stat().st_mtime_ns
    huggingface.fetch(huggingface.Config(dataset="set", size=5), Path("raw"))
    assert Path("raw/rows.parquet").stat().st_mtime_ns > before  # a folder's, each time
    small = huggingface.load(huggingface.Config(dataset="set", size=5), Path("raw"))
    assert small.x.shape == (13, 1, 5, 5)


@needs_library
@pytest.mark.usefixtures("_cache")
def test_files_of_pictures_are_read_only_in_the_sets_own_folder() -> None:
    for name in ("a/1.png", "b/2.png"):
        Path("set/train", name).parent.mkdir(parents=True)
        Image.new("RGB", (8, 8), "red").save(Path("set/train", name))
    data = load(dataset="set", labels="label")
    assert data.x.shape == (2, 3, 8, 8)
    assert data.label_names == ("a", "b")
    Image.new("RGB", (8, 8)).save("private.png")
    outside = {"bytes": None, "path": str(Path("private.png").resolve())}
    assert huggingface._bytes(outside, huggingface.Config(dataset="set")) is None


@needs_library
@pytest.mark.usefixtures("_cache")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "test"}, 'Unknown split "test"'),
        ({"column": "nope"}, r"dataset.column: .* has no column 'nope'; it has size, colour"),
        ({"config": "nope"}, "nope"),
    ],
)
def test_what_is_not_there_is_a_sentence(rows: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(dataset=rows, **options)
