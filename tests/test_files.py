"""Files that are whole or not there, and CSV files by hand."""

import errno
from pathlib import Path

import numpy as np
import pytest

from narrows import errors
from narrows.data import names, new_files
from narrows.data.places import Place
from narrows.errors import UserError
from narrows.store import reading
from narrows.store.files import atomic_write, write_csv


def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "arrays.npz"
    file.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(file) as partial:
        np.savez(partial, x=1 / 0)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
    with atomic_write(file) as partial:
        np.savez(partial, x=1)
        assert file.read_text() == "old"
    assert np.load(file)["x"] == 1
    assert list(tmp_path.iterdir()) == [file]


def test_on_a_full_disk_the_file_is_named(tmp_path: Path) -> None:
    """numpy's own error names none, and is not even one of the system's."""
    file = tmp_path / "x.npy"
    with pytest.raises(OSError, match=r"No space left on device: .*/x\.npy"), atomic_write(file):
        raise OSError("100000 requested and 25584 written")
    with pytest.raises(OSError, match="odd"), atomic_write(file):
        raise OSError("odd")
    assert not list(tmp_path.iterdir())


def test_where_no_file_can_be_written_the_file_is_named_and_nothing_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write anywhere, so the system's refusal is played. The user has never seen the name
    that a file has until it is whole, and pyarrow would put it into a sentence of its own."""

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(PermissionError) as caught, atomic_write(tmp_path / "x.parquet"):
        raise AssertionError("the block is not entered")
    assert errors.is_users(caught.value)
    assert errors.sentence(caught.value, Path()) == f"{tmp_path}/x.parquet: Permission denied"


def test_csv_of_mappings_and_of_sequences(tmp_path: Path) -> None:
    """Six digits of 1/3, or all; a missing cell is empty; quotes below the header only."""
    file, third = tmp_path / "some.csv", 1 / 3
    write_csv(file, [{"a": third, "b": None}, {"b": 2, "a": np.float64(1)}])
    assert file.read_bytes() == b"a,b\n0.333333,\n1,2\n"
    write_csv(file, [{"a": third}, {"b": 0.5}], ["b", "a"], digits=None)
    assert file.read_bytes() == b"b,a\n,0.3333333333333333\n0.5,\n"
    write_csv(file, [('a "b"\n', 1), ("", 2)], ("path", "n"), quoted=True)
    assert file.read_bytes() == b'path,n\n"a ""b""\n",1\n"",2\n'
    write_csv(file, [], ("path",))
    assert file.read_bytes() == b"path\n"
    write_csv(file, [])
    assert file.read_bytes() == b""


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "Expecting value"),
        ("[]", "it should be a mapping, found list"),
        ("[" * 100_000, "maximum recursion depth"),
        ('{"dataset": ["table"]}', r"dataset should be str, found \['table'\]"),
        ('{"columns": "all"}', "columns should be list, found 'all'"),
    ],
)
def test_an_odd_schema_is_a_sentence(content: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema/schema.json").write_text(content)
    message = rf"schema.json is damaged \({problem}.*run `dvc repro prepare`"
    with pytest.raises(UserError, match=message):
        reading.read_schema(tmp_path)


def test_a_schema_of_another_version_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("sea")
    with pytest.raises(UserError, match=r"does not go with this version \(KeyError: 'exclude'\)"):
        new_files.encoded(tmp_path / "a.txt", {"dataset": "text", "column": None}, {})


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"path\n"])
def test_odd_names_of_samples_are_a_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "samples.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"samples.csv: the columns should be path,date, found"):
        names.read(tmp_path / "samples.csv", 3)


def test_names_dates_and_places_of_samples_are_read_back(tmp_path: Path) -> None:
    """The columns of places are there where some sample has one; older files have none."""
    file, paths = tmp_path / "samples.csv", ["a, b.jpg", "c.jpg"]
    names.write(file, paths, ["2024-05-06", ""], [Place(-33.87, 151.21), None])
    known = names.SampleNames(paths, ["2024-05-06", ""], [Place(-33.87, 151.21), None])
    assert names.read(file, 2) == known
    assert known.part(np.array([1])) == names.SampleNames(["c.jpg"], [""], [None])
    names.write(file, paths, None, [None, None])
    assert file.read_text() == 'path,date\n"a, b.jpg",""\n"c.jpg",""\n'
    assert names.read(file, 2) == names.SampleNames(paths, ["", ""])


@pytest.mark.parametrize("degrees", ["north,east", "1.5,"])
def test_a_place_in_names_that_is_no_number_is_a_sentence(degrees: str, tmp_path: Path) -> None:
    file = tmp_path / "samples.csv"
    file.write_text(f"path,date,latitude,longitude\na.jpg,,,\nb.jpg,,{degrees}\n")
    with pytest.raises(UserError, match="record 3 should have a latitude and a longitude, found"):
        names.read(file, 2)
