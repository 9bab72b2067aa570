"""`narrows atlas` on pictures, documents and a table: what the file says of each sample."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet
from scipy import sparse

from helpers.finished import change
from helpers.project import EXPERIMENT
from narrows.commands import atlas
from narrows.config import plugins
from narrows.data import blocks
from narrows.data.tables import beyond
from narrows.explore.atlas import samples
from narrows.explore.groups import identity_of
from narrows.store import clusterings, encoders

ROW = "pca-kmeans"
CODES = np.array([[0.0, 0], [1, 0], [4, 0], [4, 2], [9, 9]], np.float32)
CLUSTERS = np.array([0, 0, 1, 1, -1], np.int32)
NAMES = ["a.png", "b.png", "c.png", "d.png", "no utf-8 \udcff"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose five codes, clusters and names are those above."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(EXPERIMENT, tmp_path / "params.yaml")
    return tmp_path


def place(
    x: np.ndarray, schema: dict[str, Any], labels: list[int], dataset: str = "mnist_5k"
) -> None:
    """What the stages leave of five samples."""
    data, home = Path("data", dataset), Path("artifacts", dataset)
    for own in (data / "schema", home / "encoders/pca", home / f"clusterings/{ROW}"):
        own.mkdir(parents=True)
    np.save(data / "x.npy", x)
    np.save(data / "split.npy", np.zeros(5, np.uint8))
    np.save(data / "labels.npy", np.array(labels, np.int64))
    (data / "label_names.csv").write_text(
        "label,name\n0,cat\n1,dog\n" if labels else "label,name\n"
    )
    (data / "schema/schema.json").write_text(json.dumps(schema))
    encoders.write(home / "encoders/pca", {"kind": "baseline"}, CODES, {}, {})
    info = {"row": {"encoder": "pca"}, "encoder": "pca"}
    clusterings.write(home / f"clusterings/{ROW}", info, {}, CLUSTERS)


def name_samples(data: Path, names: list[str]) -> None:
    file = data / "samples.csv"
    with file.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        csv.writer(stream).writerows([["path", "date"], *([name, ""] for name in names)])


def rows_of(dataset: str, *words: str) -> list[dict[str, Any]]:
    """Runs the command; returns the rows of its file."""
    atlas.main([ROW, *words])
    return parquet.read_table(f"artifacts/{dataset}/atlases/{ROW}.parquet").to_pylist()


def test_pictures_have_places_clusters_labels_and_neighbours(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From code 3 at (4, 2) it is 2 to code 2 and sqrt(13) to code 1; five codes are their map."""
    monkeypatch.setattr(blocks, "BLOCK", 2)  # three row groups
    x = np.arange(5 * 3 * 4 * 6, dtype=np.uint8).reshape(5, 3, 4, 6)
    place(x, {}, labels=[0, 0, 1, 1, 2])
    name_samples(Path("data/mnist_5k"), NAMES)
    rows = rows_of("mnist_5k")
    assert [row["name"] for row in rows] == [*NAMES[:4], "no utf-8 \ufffd"]
    assert [row["cluster"] for row in rows][1:] == [
        "Cluster 0",
        *["Cluster 1"] * 2,
        "In no cluster",
    ]
    assert [row["label"] for row in rows] == ["cat", "cat", "dog", "dog", "2"]
    assert [[row["projection_x"], row["projection_y"]] for row in rows] == CODES.tolist()
    assert rows[3]["neighbors"]["ids"] == [2, 1, 0, 4]
    assert rows[3]["neighbors"]["distances"][:2] == pytest.approx([2, 13**0.5])
    picture = np.asarray(Image.open(io.BytesIO(rows[4]["image"]["bytes"])))
    assert picture.shape == (64, 96, 3), "sixteen times as large, to be seen"
    np.testing.assert_array_equal(picture[::16, ::16], x[4].transpose(1, 2, 0))
    metadata = parquet.read_metadata(f"artifacts/mnist_5k/atlases/{ROW}.parquet")
    assert metadata.num_row_groups == 3
    command = capsys.readouterr().out.splitlines()[-1]
    assert command == (
        f"uvx embedding-atlas artifacts/mnist_5k/atlases/{ROW}.parquet --x projection_x "
        "--y projection_y --neighbors neighbors --image image"
    )


def test_names_and_merges_of_a_page_are_taken(folder: Path) -> None:
    place(np.zeros((5, 1, 4, 4), np.uint8), {}, labels=[])
    saved = {
        "identity": identity_of("mnist_5k", ROW, CLUSTERS),
        "clusters": [{"cluster": 0, "name": "cats"}, {"cluster": 1, "name": None, "into": 0}],
    }
    (folder / "saved.json").write_text(json.dumps(saved))
    rows = rows_of("mnist_5k", "--names", "saved.json")
    assert [row["cluster"] for row in rows] == [*["cats"] * 4, "In no cluster"]
    assert [row["name"] for row in rows][:2] == ["row 1", "row 2"]
    assert "label" not in rows[0]


def test_documents_have_their_texts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documents = folder / "documents"
    documents.mkdir()
    for i in range(5):
        (documents / f"{i}.txt").write_text(f"bread flour {'ship ' * i}harbour")
    change(folder, dataset={"name": "text", "path": "documents", "max_share": 1})
    text, raw = plugins.load("datasets", "text"), Path("data/text/raw")
    cfg = text.Config(path="documents", max_share=1)
    raw.mkdir(parents=True)
    text.fetch(cfg, raw)
    loaded = text.load(cfg, raw)
    place(loaded.x, loaded.schema, labels=[], dataset="text")
    name_samples(Path("data/text"), loaded.names)
    rows = rows_of("text")
    assert rows[2]["text"] == "bread flour ship ship harbour"
    assert capsys.readouterr().out.splitlines()[-1].endswith("--neighbors neighbors --text text")


def test_a_table_has_its_own_columns_in_its_own_units(folder: Path) -> None:
    """A number from 10 to 30 with a gap and one of 35 beyond the range, days of 1970, words."""
    number = {"kind": "numeric", "low": 10.0, "high": 30.0, "has_missing": True}
    date = {"kind": "date", "low": 0.0, "high": 864_000.0, "has_missing": False}
    words = {"kind": "categorical", "categories": ["red", "blue"]}
    columns = [
        {"name": "cluster", "features": [0, 2], **number},
        {"name": "since", "features": [2, 7], **date},
        {"name": "colour", "features": [7, 9], **words},
    ]
    x = np.zeros((5, 9), np.float32)
    x[:, 0] = [0, 0.5, 0.5, 1, 1]
    x[2, 1] = 0.5
    x[:, 2] = np.arange(5) / 10
    x[:2, 7] = x[2:4, 8] = 1
    place(x, {"dataset": "table", "columns": columns}, labels=[])
    outside = np.zeros((5, 3), np.float32)
    outside[4, 0] = 0.25
    beyond.write(Path("data/mnist_5k/schema"), outside)
    rows = rows_of("mnist_5k")
    assert [row["cluster_"] for row in rows] == [10, 20, None, 30, 35]
    assert [row["since"].day for row in rows] == [1, 2, 3, 4, 5]
    assert [row["colour"] for row in rows] == ["red", "red", "blue", "blue", None]
    assert rows[0]["cluster"] == "Cluster 0"


def test_no_two_columns_get_one_name() -> None:
    plain = {"kind": "numeric", "low": 0.0, "high": 1.0, "has_missing": False}
    columns = [{"name": name, "features": [i, i + 1], **plain} for i, name in enumerate("aa_"[::2])]
    own = samples.table(np.zeros((1, 2)), columns, sparse.csr_array((1, 2)), ["a", "a_"])
    assert list(own(slice(0, 1))) == ["a__", "_"]
