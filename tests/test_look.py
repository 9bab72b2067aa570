"""What is proposed for what lies at a place, and the sentences where nothing can be."""

import builtins
import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from narrows.config import params
from narrows.data import look as looking
from narrows.data import new_files, table_head
from narrows.data.datasets import _arrays, _pictures, huggingface
from narrows.data.look import Proposal, look
from narrows.errors import UserError

GERMAN = "Sehr geehrte Damen und Herren, der Brief an die Verwaltung ist erst heute hier gewesen. "
LONG = "the quick brown fox jumps over the lazy dog again and again, until evening comes"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(looking, "find_spec", lambda name: None)  # no HEIC


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def accepted(place: str) -> Proposal:
    """A proposal whose keys the plug-in accepts, and whose labels, too."""
    proposal = look(place)
    params.plugin("datasets", dict(proposal.dataset))
    if proposal.labels is not None:
        params.plugin("datasets", {**proposal.dataset, "labels": proposal.labels})
    assert "labels" not in proposal.dataset
    assert 1 <= len(proposal.lines) <= 10
    return proposal


def test_a_folder_of_pictures_is_counted_and_told_of() -> None:
    """Every number by hand; nothing is opened, so empty files do."""
    folder = "Fotos ä 'x' \"y\"\n"
    touch(
        *(f"{folder}/cat/{i}.JPG" for i in range(3)), *(f"{folder}/dog/{i}.png" for i in range(4))
    )
    touch(*(f"{folder}/{name}" for name in ("a.mp4", "b.mp4", "c.heic", "notes.txt", "e", ".hid")))
    os.symlink("/nowhere", f"{folder}/l.png")
    proposal = accepted(folder)
    assert proposal.example == "image_folder"
    assert proposal.dataset == {"name": "image_folder", "path": str(Path(folder).resolve())}
    assert proposal.labels == "folders"
    first, left_out, names, hint = proposal.lines
    assert first.endswith(": 7 pictures in 2 folders (4 .png, 3 .jpg)")
    assert "\n" not in first
    assert set(left_out.removeprefix("left out: ").split(", ")) == {
        "2 .mp4",
        "1 no suffix",
        "1 link that leads nowhere",
        "1 .heic (needs the package pillow-heif)",
        "1 .txt",
    }
    assert names == "folders whose names may be labels: 4 dog, 3 cat"
    assert "nothing is learned from labels" in hint


def test_a_table_of_labels_beside_pictures_is_proposed() -> None:
    touch(*(f"p/{i}.png" for i in range(6)))
    Path("p/train.csv").write_text("filename,label\n0.png,a\n")
    Path("p/other.csv").write_text("x,y\n1,2\n")
    assert accepted("p").labels == "train.csv"
    assert accepted("p/").lines[1] == "left out: 2 .csv"


def test_a_folder_of_texts() -> None:
    touch(*(f"t/{i}.txt" for i in range(5)), "t/a.jpg", "t/x/y.md")
    proposal = accepted("t")
    assert (proposal.example, proposal.labels) == ("text", None)
    assert proposal.lines == (
        f"{Path('t').resolve()}: 6 documents in 2 folders (5 .txt, 1 .md)",
        "left out: 1 .jpg",
    )


def test_of_pictures_and_texts_the_larger_part_is_taken_and_the_other_is_told_of() -> None:
    touch(*(f"m/{i}.txt" for i in range(7)), *(f"m/{i}.png" for i in range(9)))
    proposal = accepted("m")
    assert (proposal.example, proposal.n_samples) == ("image_folder", 9)
    assert proposal.lines[1:] == (
        "left out: 7 .txt",
        "7 documents would be a project of their own: name a folder without the others",
    )


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("one/a.png", b"", "one has 1 picture to learn from; at least 6 are needed"),
        ("some/a.txt", b"", "some has 1 document to learn from; at least 6 are needed"),
        ("t.csv", b"a,b\n1,2\n3,4\n", "t.csv has 2 rows to learn from; at least 6 are needed"),
    ],
)
def test_too_few_samples_are_a_sentence(name: str, content: bytes, sentence: str) -> None:
    touch(name)
    Path(name).write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        look(name.partition("/")[0])


@pytest.mark.parametrize(
    ("name", "separator", "decimal"),
    [("a.csv", ";", ","), ("a.csv", ",", "."), ("a.tsv", "\t", ".")],
)
def test_a_table_with_its_separator_and_decimal_point(
    name: str, separator: str, decimal: str
) -> None:
    lines = [separator.join(["größe", "wert", "Class"])]
    lines += [separator.join([str(i), f"{i}{decimal}5", "abc"[i % 3]]) for i in range(30)]
    Path(name).write_text("\n".join(lines), encoding="utf-8")
    proposal = accepted(name)
    keys = {"name": "table", "path": str(Path(name).resolve())}
    keys |= {"separator": separator} if separator != "," else {}
    keys |= {"decimal": decimal} if decimal != "." else {}
    assert proposal.dataset == keys
    assert (proposal.example, proposal.labels) == ("table", "Class")
    assert proposal.lines[0].endswith("a table of 30 rows and 3 columns")
    assert proposal.lines[1] == "columns: größe, wert, Class"


def test_a_separator_at_the_end_of_rows_makes_their_header_no_title(tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    rows = "".join(f"{18 + i},{50 + i / 7:.2f},{'abc'[i % 3]},\n" for i in range(60))
    table.write_text("age,weight,plan\n" + rows)
    head = table_head.read(table)
    assert (head.skip_rows, head.columns, head.n_rows) == (0, ["age", "weight", "plan"], 60)


def test_lines_above_the_header_are_skipped_as_the_table_will() -> None:
    """40 rows, whose sums from .5 to 6.5 become 0 to 1; two lines of a title, and an empty one."""
    rows = "".join(f"{i};{i % 7},5\n" for i in range(40))
    Path("t.csv").write_text("Sales, all of them\nof 2024\n\nshop;sum\n" + rows)
    proposal = accepted("t.csv")
    assert proposal.lines[1] == "columns: shop, sum"
    assert proposal.dataset["skip_rows"] == 3
    plugin = params.plugin("datasets", dict(proposal.dataset))
    plugin.module.fetch(plugin.config, Path("raw"))
    x = plugin.module.load(plugin.config, Path("raw")).x
    assert x.shape == (40, 1)
    assert x[:7, 0].tolist() == [np.float32(i / 6) for i in range(7)]


def test_only_the_beginning_of_a_large_table_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """1,001 lines of 10 bytes, of which 1,000 bytes are looked at; the last of them is cut."""
    monkeypatch.setattr(table_head, "N_BYTES", 1005)
    Path("t.csv").write_text("aaaa,bbbb\n" + "1234,5678\n" * 1000)
    head = table_head.read(Path("t.csv"))
    assert head.is_estimate
    assert abs(head.n_rows - 1000) <= 20
    assert "about" in accepted("t.csv").lines[0]


@pytest.mark.parametrize(
    ("encoding", "name"), [("utf-8", "ä"), ("utf-8-sig", "ä"), ("cp1252", "ä"), ("utf-16", "ä")]
)
def test_names_of_columns_in_any_letters(encoding: str, name: str) -> None:
    Path("t.csv").write_bytes(f"{name},b\n1,2\n3,4\n".encode(encoding))
    assert table_head.read(Path("t.csv")).columns == [name, "b"]


def test_a_column_of_long_texts_is_documents_unless_it_is_a_remark() -> None:
    rows = pd.DataFrame({"id": range(30), "body": [f"{i} {LONG}" for i in range(30)]})
    rows["label"] = "a"
    rows.to_csv("mails.csv", index=False, sep=";")
    proposal = accepted("mails.csv")
    path = str(Path("mails.csv").resolve())
    assert proposal.dataset == {"name": "text", "path": path, "column": "body", "separator": ";"}
    assert (proposal.example, proposal.labels) == ("sentences", "label")
    rows.assign(body=[f"{i} {GERMAN}" for i in range(30)]).to_csv("briefe.csv", index=False)
    assert accepted("briefe.csv").example == "text"
    for name in "abcd":
        rows[name] = range(30)
    rows.to_csv("customers.csv", index=False)
    proposal = accepted("customers.csv")
    assert proposal.example == "table"
    assert "columns of long texts: body" in proposal.lines
    rows.to_parquet("t.parquet")
    proposal = accepted("t.parquet")
    assert proposal.dataset["name"] == "table"
    assert proposal.lines[0].endswith("a table of 30 rows and 7 columns")
    assert any("saved as .csv" in line for line in proposal.lines)


def test_an_array_is_rows_or_pictures_by_its_header() -> None:
    np.save("rows.npy", np.zeros((9, 5)))
    np.save("pictures.npy", np.zeros((9, 8, 8, 3), np.uint8))
    np.save("other.npy", np.zeros((9, 8, 8, 13)))
    assert accepted("rows.npy").example == "array"
    assert accepted("pictures.npy").example == "image_folder"
    assert accepted("pictures.npy").dataset == {
        "name": "array",
        "path": str(Path("pictures.npy").resolve()),
    }
    other = accepted("other.npy")
    assert (other.example, other.dataset["layout"]) == ("array", "rows")


def test_an_npz_names_its_array_and_what_may_be_labels() -> None:
    labels = {"y_train": np.zeros((60, 1)), "y_test": np.zeros(10)}
    np.savez("d.npz", x_test=np.zeros((10, 8, 8)), x_train=np.zeros((60, 8, 8)), **labels)
    proposal = accepted("d.npz")
    assert (proposal.dataset["key"], proposal.labels) == ("x_train", "y_train")
    np.savez("one.npz", x=np.zeros((9, 5)))
    assert "key" not in accepted("one.npz").dataset


def test_sets_that_come_along_and_those_of_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    assert accepted("digits").dataset == {"name": "digits"}
    assert accepted("mnist_5k").example == "image_folder"
    assert accepted("points").example == "points"
    assert accepted("torchvision:CIFAR10").dataset == {
        "name": "torchvision",
        "dataset": "CIFAR10",
        "root": "~/data",
        "download": True,
    }
    columns = {"image": "Image", "label": "ClassLabel"}
    monkeypatch.setattr(huggingface, "features_of", lambda name: columns)
    proposal = accepted("huggingface:a/b")
    assert (proposal.example, proposal.labels) == ("image_folder", "label")
    columns = {"text": "string", "label": "ClassLabel"}
    proposal = accepted("huggingface:a/b")
    assert proposal.dataset == {"name": "huggingface", "dataset": "a/b", "column": "text"}
    assert proposal.example == "text"
    columns = {"a": "int64", "b": "string"}
    assert accepted("huggingface:a/b").example == "table"
    touch(*(f"digits/{i}.png" for i in range(6)))  # a place goes before a name
    assert accepted("digits").dataset["name"] == "image_folder"


def write(name: str, content: bytes) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(content)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("", "'' names no data"),
        ("a\0b", "names no data"),
        ("\udcff", "is no path: names are UTF-8"),
        ("~nobody-of-this-name/x", "home directory"),
        ("nowhere", r"there is no /.*/nowhere; accepted are a folder .*: digits, fashion_mnist"),
        ("digit", "; did you mean digits"),
        ("in/t.cvs", r"; did you mean /.*/in/t\.csv\?"),
        ("x" * 300, "there is no "),
        ("empty", "has no files in it; accepted are"),
        ("films", r"has nothing that can be used \(1 \.mp4\)"),
        ("in", r"has tables or arrays: name the one to learn from, /.*/in/t\.csv$"),
        ("link", "is a link that leads nowhere"),
        ("pipe.csv", "is neither a file nor a folder"),
        ("a.h5", r"\.h5 is no kind of file that can be used"),
        ("a.png", "is one picture; name its folder"),
        ("a.txt", "is one document; name its folder"),
        ("a.xlsx", "save it as .csv or .parquet"),
        ("empty.csv", "has no rows"),
        ("head.csv", "has no rows"),
        ("zeros.csv", "not a table that can be read: it has zero bytes"),
        ("a.parquet", "not a table that can be read"),
        ("a.npy", "no arrays that can be read"),
        ("one.npy", r"samples are an array of numbers .*; it has float64 \(5,\)"),
        ("torchvision:cifar11", "no set of pictures 'cifar11'; did you mean CIFAR10"),
        ("torchvision:", "there is no "),
        ("huggingface:a/b", "pip install datasets"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(
    place: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    Path("empty").mkdir()
    touch("films/a.mp4", "a.h5", "a.png", "empty.csv", "a.xlsx", "in/README.md")
    write("in/t.csv", b"a,b\n1,2\n")
    write("a.txt", b"hello there\n")
    write("head.csv", b"a,b\n")
    write("zeros.csv", b"a,b\n1,\0\n")
    write("a.parquet", b"PAR1")
    write("a.npy", b"no")
    np.save("one.npy", np.zeros(5))
    os.symlink("nowhere-else", "link")
    os.mkfifo("pipe.csv")
    with pytest.raises(UserError, match=message):
        look(place)


def test_a_folder_that_may_not_be_read_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, who may read all: the system's answer is put in its place."""

    def refuse(path: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    Path("p").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match="p cannot be read: Permission denied"):
        look("p")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.parquet", "a.npy", "a.npz"])
def test_a_file_that_may_not_be_read_is_a_sentence(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As above; the file is no less a table or an array for it."""
    rows = np.arange(40.0).reshape(20, 2)
    pd.DataFrame({"a": rows[:, 0]}).to_parquet("a.parquet")
    np.save("a.npy", rows)
    np.savez("a.npz", rows)
    for text in ("a.csv", "a.tsv", "a.txt"):
        Path(text).write_text("a,b\n1,2\n")
    real = io.open

    def refuse(file: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(file, int) and os.path.basename(file) == name:
            raise PermissionError(13, "Permission denied", os.fspath(file))
        return real(file, *args, **options)

    monkeypatch.setattr(io, "open", refuse)
    monkeypatch.setattr(builtins, "open", refuse)
    with pytest.raises(UserError, match=rf"^/.*/{name}: Permission denied$"):
        look(name)
    if name in ("a.npy", "a.npz"):
        with pytest.raises(UserError, match=rf"^{name}: Permission denied$"):
            _arrays.opened(Path(name), "arr_0")
    if name == "a.npy":
        with pytest.raises(UserError, match=r"^a\.npy: Permission denied$"):
            new_files._array(Path(name), rows)


def test_a_first_line_that_is_data_is_told_of() -> None:
    said = "the first line looks like data, not like names of columns: "
    rows = "".join(f"{i},x{i % 3}\n" for i in range(20))
    write("a.csv", b"0.5,x1\n" + rows.encode())
    assert f"{said}0.5; if it is data, write a line of names above it" in look("a.csv").lines
    write("a.csv", b"n,x1\n" + rows.encode())
    assert not [line for line in look("a.csv").lines if line.startswith(said)]


def test_nothing_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> Any:
        raise AssertionError("a look reads no picture")

    monkeypatch.setattr(_pictures, "decode", refuse)
    touch(*(f"p/{i}.png" for i in range(1000)))
    monkeypatch.setattr(Path, "open", refuse)
    assert "1,000 pictures" in accepted("p").lines[0]
