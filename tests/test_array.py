"""Arrays of one's own: their axes, their ranges by hand, and new ones like them."""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrows.data import new_files, on_disk, prepare
from narrows.data.datasets import _arrays, _stacked, array
from narrows.data.datasets._base import Dataset, NothingLeft
from narrows.errors import UserError

BYTES = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(x: Any = None, path: str = "x.npy", **options: Any) -> Dataset:
    if x is not None:
        np.save(path, x)
    cfg = array.Config(path=path, **options)
    array.fetch(cfg, Path("raw"))
    return array.load(cfg, Path("raw"))


def test_bytes_are_pictures_as_they_are_with_their_channels_first() -> None:
    last, first = load(BYTES), load(BYTES.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(last.x, BYTES.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(first.x, last.x)
    assert (last.schema["layout"], first.schema["layout"]) == ("NHWC", "NCHW")
    assert last.names == [f"row {i}" for i in range(1, 7)]
    grey = load(BYTES[..., 0])
    np.testing.assert_array_equal(grey.x[:, 0], BYTES[..., 0])
    np.testing.assert_array_equal(load(np.asfortranarray(BYTES)).x, last.x)


def test_bytes_are_rows_from_0_to_1() -> None:
    data = load(BYTES, layout="rows")
    assert data.x.dtype == np.float32
    np.testing.assert_array_equal(data.x, (BYTES.reshape(6, -1) / 255).astype(np.float32))


def test_columns_are_scaled_each_by_its_own_ends_which_new_rows_may_pass() -> None:
    """Column 0 from -2 to 2, column 1 constant, column 2 as large as floats can be."""
    huge = np.finfo(np.float64).max
    data = load(np.array([[-2.0, 7, -huge], [0, 7, 0], [2, 7, huge]]))
    assert data.x.tolist() == [[0, 0, 0], [0.5, 0, 0.5], [1, 0, 1]]
    np.save("new.npy", np.array([[1.0, 7, 0], [9, 7, 0], [np.nan, 7, 0]]))
    new = array.encode(data.schema, data.arrays, Path("new.npy"))
    assert new.x.tolist() == [[0.75, 0, 0.5], [1, 0, 0.5]]
    assert new.beyond is not None
    # of column 0 a range is 4: 9 lies 7 / 4 beyond it, and the mean is that of three columns
    np.testing.assert_allclose(new.beyond, [[0], [(1.75**2 / 3) ** 0.5]], rtol=1e-6)
    assert list(new.warnings) == [
        "new.npy: 1 samples have values beyond those learned from, which are cut"
    ]
    assert [tuple(item) for item in new.skipped] == [("row 3", "NaN or infinity")]
    np.save("one.npy", np.array([-2, 7, 0], np.int64))
    assert array.encode(data.schema, data.arrays, Path("one.npy")).x.tolist() == [[0, 0, 0.5]]


def test_parts_are_encoded_as_the_whole_is() -> None:
    """The fourth of five rows is no number; rows keep the numbers that they have in the file."""
    data = load(np.arange(6.0).reshape(3, 2))
    np.save("new.npy", np.array([[0.0, 1], [5, 9], [2, 3], [np.nan, 1], [4, 5]]))
    parts = list(array.parts(data.schema, Path("new.npy"), 2))
    assert [part.n for part in parts] == [2, 2, 1]
    whole, *some = (
        array.encode(data.schema, data.arrays, Path("new.npy"), part) for part in (None, *parts)
    )
    np.testing.assert_array_equal(np.concatenate([own.x for own in some]), whole.x)
    assert [name for own in some for name in own.names or ()] == whole.names
    assert (
        [item for own in some for item in own.skipped]
        == whole.skipped
        == [("row 4", "NaN or infinity")]
    )


def test_what_is_from_0_to_1_stays_as_it_is() -> None:
    x = np.array([[0.25, 0.5], [0.125, 0.75]])
    assert load(x).x.tolist() == x.tolist()
    assert load(np.array([[True, False]])).x.tolist() == [[1, 0]]


def test_pictures_have_one_range_for_all_in_256_steps() -> None:
    """12 bits in 16: 0 is black, 4000 is white, 1000 is 63.75."""
    x = np.zeros((2, 4, 4), ">u2")
    x[0, 0, 0], x[1, 0, 0] = 4000, 1000
    data = load(x)
    assert data.x.dtype == np.uint8
    assert data.x[:, 0, 0, :2].tolist() == [[255, 0], [64, 0]]
    assert "0 is black, 4000 is white" in data.warnings[0]


def test_samples_that_are_not_finite_or_have_no_label_are_left_out_and_counted() -> None:
    x = np.arange(10.0).reshape(5, 2)
    x[1, 0], x[3, 1] = np.nan, -np.inf
    np.save("y.npy", np.array([[10.0], [2], [np.nan], [9], [2]]))
    data = load(x, labels="y.npy")
    assert data.names == ["row 1", "row 5"]
    assert data.x.tolist() == [[0, 0], [1, 1]]
    assert [tuple(item) for item in data.skipped] == [
        ("row 2", "NaN or infinity"),
        ("row 4", "NaN or infinity"),
        ("row 3", "no label"),
    ]
    assert data.labels is not None
    assert (data.labels.tolist(), data.label_names) == ([1, 0], ("2", "10"))
    with pytest.raises(NothingLeft, match=r"no sample to learn from .skipped: 1 NaN or inf"):
        load(np.array([[np.nan]]))
    with pytest.raises(NothingLeft, match="no sample to learn from"):
        load(np.empty((0, 3)))


def test_a_few_values_far_out_are_told_of() -> None:
    x = np.random.default_rng(0).normal(size=(2000, 3))
    x[7, 1] = 99_999
    (_, odd) = load(x).warnings
    assert odd.startswith("column 2 reaches from -")
    assert "to 99999, by which it is scaled, though nearly all of it lies from -" in odd


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_has_arrays_by_name_and_labels(save: Any) -> None:
    words = np.array(["dog", "cat", "dog", "", "é", "cat"])
    save("d.npz", x=BYTES, y=words)
    data = load(path="d.npz", labels="y")
    np.testing.assert_array_equal(data.x, BYTES.transpose(0, 3, 1, 2)[[0, 1, 2, 4, 5]])
    assert data.label_names is not None
    assert [data.label_names[i] for i in data.labels] == ["dog", "cat", "dog", "é", "cat"]
    with pytest.raises(UserError, match=r"dataset.key: which array of d.npz\? It has x, y"):
        load(path="d.npz")
    with pytest.raises(UserError, match="has no array 'z'; it has x, y"):
        load(path="d.npz", key="z")
    with pytest.raises(UserError, match=r"dataset.labels: .* found 'z'; d.npz has x, y"):
        load(path="d.npz", key="x", labels="z")
    new = array.encode(data.schema, data.arrays, Path("d.npz"))
    np.testing.assert_array_equal(new.x, BYTES.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("x", "layout", "message"),
    [
        (np.zeros(5), "auto", r"auto cannot be for x.npy, whose shape is \(5,\)"),
        (np.zeros(()), "rows", r"whose shape is \(\)"),
        (np.zeros((4, 0)), "auto", r"whose shape is \(4, 0\)"),
        (np.zeros((4, 3, 9, 3)), "auto", r"auto cannot be for .* NCHW or NHWC"),
        (np.zeros((4, 9, 9, 2)), "auto", "pictures of 1 or 3 channels"),
        (np.zeros((4, 9, 9, 1)), "NCHW", "NCHW cannot be"),
        (np.zeros((4, 5)), "NHWC", "NHWC cannot be"),
        (np.array(["a", "b"]), "auto", "samples are numbers, found <U1"),
        (np.zeros(2, "f8,i4"), "auto", "samples are numbers"),
        (np.ones((2, 2), complex), "auto", "samples are numbers, found complex128"),
    ],
)
def test_what_cannot_be_samples_is_a_sentence(x: np.ndarray, layout: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(x, layout=layout)


def test_an_ambiguous_layout_is_the_users_to_say() -> None:
    x = np.arange(108, dtype=np.uint8).reshape(4, 3, 3, 3)
    np.testing.assert_array_equal(load(x, layout="NCHW").x, x)
    np.testing.assert_array_equal(load(x, layout="NHWC").x, x.transpose(0, 3, 1, 2))


class Evil:
    """Leaves a file where it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("was-run",)


def test_pickles_and_damaged_files_are_sentences_and_run_nothing() -> None:
    with pytest.raises(UserError, match="it holds Python objects, which could run code"):
        load(np.array([Evil()], object))
    np.savez("o.npz", x=np.array([Evil()], object))
    with pytest.raises(UserError, match="it holds Python objects"):
        load(path="o.npz")
    assert not Path("was-run").exists()
    np.save("x.npy", BYTES)
    Path("x.npy").write_bytes(Path("x.npy").read_bytes()[:-1])
    with pytest.raises(UserError, match=r"x.npy: no arrays that can be read"):
        load()
    for name in ("e.npy", "e.npz"):
        Path(name).write_bytes(b"")
        with pytest.raises(UserError, match=f"{name}: no arrays that can be read"):
            load(path=name)
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (999999999999, 9), }"
    with zipfile.ZipFile("huge.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(UserError, match="x is not as long as its header says"):
        load(path="huge.npz")
    Path("x.csv").touch()
    with pytest.raises(UserError, match=r"x.csv is no .npy and no .npz"):
        load(path="x.csv")


def test_labels_that_do_not_fit_are_sentences() -> None:
    np.save("y.npy", np.zeros(5))
    with pytest.raises(UserError, match=r"y.npy should have a number or a word for each of 6"):
        load(BYTES, labels="y.npy")
    np.save("y.npy", BYTES)
    with pytest.raises(UserError, match=r"should have one label for each sample, found an array"):
        load(BYTES, labels="y.npy")
    with pytest.raises(UserError, match=r"dataset.labels: there is no z.npy"):
        load(BYTES, labels="z.npy")
    with pytest.raises(UserError, match=r"dataset.key is for an .npz; x.npy holds one array"):
        load(BYTES, key="x")


def test_a_file_that_changed_after_fetch_is_a_sentence() -> None:
    np.save("x.npy", BYTES)
    array.fetch(array.Config(path="x.npy"), Path("raw"))
    np.save("x.npy", BYTES[:-1])
    with pytest.raises(UserError, match=r"x.npy changed after fetch"):
        array.load(array.Config(path="x.npy"), Path("raw"))


def test_apply_reads_new_arrays_as_the_users_file_has_them() -> None:
    """Floats with their channels last, where x.npy has bytes with their channels first."""
    load(BYTES / 100.0 - 1)
    cfg = array.Config(path="x.npy")
    plugin = prepare.Plugin("datasets", "array", cfg)
    shares = prepare.Prepare(test_fraction=0.2, val_fraction=0.25)
    data = prepare.prepare(plugin, shares, 0, Path("raw"), Path("data"))
    like = np.load("data/x.npy")
    np.testing.assert_array_equal(like, data.x)
    new = new_files.read([Path("x.npy")], Path("data"), like)
    np.testing.assert_array_equal(new.x, like)
    np.save("other.npy", BYTES[:, :-1] / 100.0)
    with pytest.raises(UserError, match=r"samples are of shape \(5, 4, 3\), found \(6, 4, 4, 3\)"):
        new_files.read([Path("other.npy")], Path("data"), like)


def test_arrays_are_read_and_written_by_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than a block: the last one is at its place, and x is a map of a file."""
    x = np.tile(np.arange(3000, dtype=np.float32)[:, None], (1, 2))
    data = load(x)
    np.testing.assert_allclose(data.x, x / 2999, rtol=1e-6)
    assert isinstance(data.x, np.memmap)
    assert isinstance(_arrays.opened(Path("x.npy")), np.memmap)
    assert on_disk.samples(data.x, np.array([2999]))[0].tolist() == [1, 1]
    assert _stacked.stacked(iter([np.empty((0, 2))])) is None


def test_bytes_as_they_are_are_what_scaling_would_make_of_them() -> None:
    x = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    usable = np.array([True, False, True, True])
    layout = array.Layout(array.FIRST, (8, 8))
    ends = np.zeros(1), np.full(1, 255.0)
    taken, scaled = (
        np.concatenate(list(array._scaled(kind, layout, *ends, usable)))
        for kind in (x, x.astype(np.float64))
    )
    np.testing.assert_array_equal(taken, x[usable][:, None])
    np.testing.assert_array_equal(taken, scaled)
