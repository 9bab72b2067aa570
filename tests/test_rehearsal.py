"""What `prepare` would refuse is refused before there is a project, in the same words."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML

from helpers.project import ROOT
from narrows.config import params
from narrows.config.plugins import Plugin
from narrows.config.sections import Prepare
from narrows.data import look, prepare, rehearsal, splits
from narrows.data.datasets import image_folder
from narrows.errors import UserError

SHARES = Prepare(test_fraction=0.2, val_fraction=0.2)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture(params=["small", "large"])
def size(request: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Large is what has a byte, so that a glance has to do."""
    if request.param == "large":
        monkeypatch.setattr(rehearsal, "SMALL", 0)
    return str(request.param)


def png(value: int, side: int = 8) -> bytes:
    content = io.BytesIO()
    Image.new("L", (side, side), value).save(content, "PNG")
    return content.getvalue()


def plugin(name: str, path: Path) -> Plugin:
    return params.plugin("datasets", {"name": name, "path": str(path)})


def rehearse(dataset: Plugin) -> None:
    rehearsal.rehearse(dataset)
    assert not list(Path.cwd().iterdir()), "nothing is left"


def stages(dataset: Plugin) -> None:
    """What stages `fetch` and `prepare` do."""
    dataset.module.fetch(dataset.config, Path("raw"))
    prepare.prepare(dataset, SHARES, 0, Path("raw"), Path("data"))


def refused(dataset: Plugin) -> str:
    """The sentence of both, but for the key of a params.yaml that is not there yet."""
    with pytest.raises(UserError) as rehearsed:
        rehearse(dataset)
    with pytest.raises(UserError) as run:
        stages(dataset)
    assert str(rehearsed.value) == str(run.value).removeprefix("params.yaml: dataset.path: ")
    return str(rehearsed.value)


def damaged(folder: Path) -> dict[str, Path]:
    """By what is wrong."""
    places = {"pictures": folder / "pictures", "texts": folder / "texts"}
    for i in range(9):
        for name, content in (("pictures", png(i)[:30] + bytes([i])), ("texts", b" \n" * i)):
            places[name].mkdir(exist_ok=True)
            (places[name] / f"{i}{'.png' if name == 'pictures' else '.txt'}").write_bytes(content)
    lines = ["a,b", *(f"{i},{i % 3}" for i in range(40))]
    quoted = [*lines, '"1,2']
    lines[3] += ",5"
    for name, text in (("wide.csv", lines), ("quoted.csv", quoted)):
        places[name] = folder / name
        places[name].write_text("\n".join(text))
    places["rows.parquet"] = folder / "rows.parquet"
    pd.DataFrame({"a": np.random.default_rng(0).random(99)}).to_parquet(places["rows.parquet"])
    content = bytearray(places["rows.parquet"].read_bytes())
    content[4:200] = bytes(196)  # the head of the column; what says where it is lies at the end
    places["rows.parquet"].write_bytes(content)
    places["rows.npy"] = folder / "rows.npy"
    np.save(places["rows.npy"], np.zeros((50, 9)))
    places["rows.npy"].write_bytes(places["rows.npy"].read_bytes()[:2000])
    return places


@pytest.mark.parametrize(
    ("name", "dataset", "sentence"),
    [
        ("pictures", "image_folder", r"^/\S+/pictures has no picture to learn from \(skipped: 9 "),
        ("texts", "text", r"texts has no document to learn from \(skipped: 9 empty\)"),
        ("wide.csv", "table", r"wide.csv: row 3 has 3 values and the header 2; "),
        ("quoted.csv", "table", r"quoted.csv: not a table that can be read: .*; a quote is not "),
        ("rows.parquet", "table", "rows.parquet: not a table that can be read: "),
        ("rows.npy", "array", "rows.npy: no arrays that can be read: mmap length is greater"),
    ],
)
def test_damaged_data_is_refused_as_prepare_refuses_it(
    name: str, dataset: str, sentence: str, size: str, tmp_path: Path
) -> None:
    assert re.search(sentence, refused(plugin(dataset, damaged(tmp_path)[name])))


def too_few(folder: Path) -> dict[str, Path]:
    """By the plug-in: a dozen samples, of which fewer than six can be used."""
    texts, pictures = folder / "texts", folder / "pictures"
    for place in (texts, pictures):
        place.mkdir()
    for i in range(12):
        (texts / f"{i}.txt").write_text("equal words")
        (pictures / f"{i:02}.png").write_bytes(png(0) if i else b"no picture")
    (folder / "rows.csv").write_text("a\n1\n2\n3\n4\n5\n")
    np.save(folder / "rows.npy", np.vstack([np.full((7, 2), np.nan), np.eye(5, 2)]))
    names = {"text": "texts", "image_folder": "pictures", "table": "rows.csv", "array": "rows.npy"}
    return {name: folder / file for name, file in names.items()}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("text", "1 document to learn from (skipped: 11 duplicate)"),
        ("image_folder", "1 picture to learn from (skipped: 10 duplicate, 1 broken)"),
        ("table", "5 rows to learn from"),
        ("array", "5 rows to learn from (skipped: 7 NaN or infinity)"),
    ],
)
def test_too_few_samples_are_left_and_why(name: str, sentence: str, tmp_path: Path) -> None:
    place = too_few(tmp_path)[name]
    with pytest.raises(UserError) as error:
        rehearse(plugin(name, place))
    assert str(error.value).startswith(f"{place} has {sentence}; at least 6 are needed, because ")


def test_of_many_files_that_are_equal_all_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "MANY", 39)
    for i in range(40):
        (tmp_path / f"{i}.txt").write_text("equal words")
    with pytest.raises(UserError, match=r"1 document to learn from \(skipped: 39 duplicate\)"):
        rehearse(plugin("text", tmp_path))


def test_documents_without_a_term_that_counts_are_skipped_and_no_key_is_named(
    tmp_path: Path,
) -> None:
    """There is no params.yaml yet; `prepare` says the keys."""
    for i in range(12):
        (tmp_path / f"{i:02}.txt").write_bytes(f"alone{i}".encode() + b"\0" * (i < 9))
    with pytest.raises(UserError) as rehearsed:
        rehearse(plugin("text", tmp_path))
    reasons = "9 no text, 3 no term that some documents share and most lack"
    assert str(rehearsed.value) == f"{tmp_path} has no document to learn from (skipped: {reasons})"
    with pytest.raises(
        UserError, match=r"lack\); dataset\.min_documents 2 and dataset\.max_share "
    ):
        stages(plugin("text", tmp_path))


def test_prepare_says_what_is_missing_where_a_split_is_empty(tmp_path: Path) -> None:
    """A fifth of two is none."""
    for i in range(9):
        (tmp_path / f"{i}.png").write_bytes(png(min(i, 1)))
    sentence = r"split 2 rows into 2 train, 0 val, 0 test; .* \(skipped: 7 duplicate\)"
    with pytest.raises(UserError, match=sentence):
        stages(plugin("image_folder", tmp_path))


def test_as_many_as_are_needed_fill_every_split_of_a_new_project() -> None:
    for file in sorted((ROOT / "examples").glob("*.yaml")):
        shares = YAML(typ="safe").load(file.read_text())["prepare"]
        splits.assign(look.LEAST, None, shares["test_fraction"], shares["val_fraction"], seed=0)


def test_a_few_of_many_pictures_are_read_unless_none_of_them_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty of forty, every other one; then all, of which the others are pictures."""
    decode, names = image_folder._decode, []

    def counted(root: Path, shape: Any, accepted: Any, file: Any) -> Any:
        names.append(file.path)
        return decode(root, shape, accepted, file)

    monkeypatch.setattr(image_folder, "_decode", counted)
    monkeypatch.setattr(rehearsal, "MANY", 39)
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(40):
        (folder / f"{i:02}.png").write_bytes(png(i))
    rehearse(plugin("image_folder", folder))
    assert sorted(names) == [f"{i:02}.png" for i in range(0, 40, 2)]
    for i in range(0, 40, 2):
        (folder / f"{i:02}.png").write_bytes(f"no picture {i}".encode())
    rehearse(plugin("image_folder", folder))
    assert len(names) == 20 + 20 + 40


def test_of_a_large_table_only_the_beginning_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four cells, which are two rows; the third is too wide, and `prepare` will say so."""
    monkeypatch.setattr(rehearsal, "SMALL", 0)
    monkeypatch.setattr("narrows.data.tables.reading.BLOCK", 4)
    file = tmp_path / "rows.csv"
    file.write_text("a,b\n1,2\n3,4\n5,6,7\n")
    rehearse(plugin("table", file))


def test_data_that_others_have_is_let_be() -> None:
    rehearse(params.plugin("datasets", {"name": "torchvision", "dataset": "CIFAR10"}))
