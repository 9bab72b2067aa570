"""`python -m narrows text` on documents of two topics: terms, hearts, the nearest to a query."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers.project import EXPERIMENT
from narrows.commands import text
from narrows.config import plugins
from narrows.data import tokens
from narrows.errors import UserError
from narrows.explore.text import page, terms
from narrows.store import clusterings, encoders
from narrows.store.clusterings import StoredClustering

TERMS = ["<b>bread</b>", "bread", "flour", "ship", "the"]
EVIL = "<script>alert(1)</script>.txt"


@pytest.fixture
def page_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twenty documents, even ones of bread and flour, odd ones of ships, all of `the`."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(EXPERIMENT, tmp_path / "params.yaml")
    x = np.random.default_rng(0).uniform(0.5, 0.6, (20, 5)).astype(np.float32)
    x[::2, 3] = 0
    x[1::2, :3] = 0
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    data, artifacts = Path("data/mnist_5k"), Path("artifacts/mnist_5k")
    for folder in (
        data / "schema",
        artifacts / "encoders/pca",
        artifacts / "clusterings/pca-kmeans",
    ):
        folder.mkdir(parents=True)
    np.save(data / "x.npy", x)
    schema = {"dataset": "text", "terms": TERMS, "stop_words": None, "embeddings": None}
    schema |= {"column": None, "separator": ",", "exclude": [], "tokens": tokens.RULE}
    (data / "schema/schema.json").write_text(json.dumps(schema))
    np.savez(data / "schema/arrays.npz", idf=np.ones(5))
    with (data / "samples.csv").open("w", newline="") as stream:
        names = [EVIL, *(f"{i}.txt" for i in range(1, 20))]
        csv.writer(stream).writerows([["path", "date"], *([name, ""] for name in names)])
    pca, cfg = plugins.load("baselines", "pca"), {"name": "pca", "code_size": 2}
    state = pca.fit(pca.Config(code_size=2), x, seed=0)
    encoders.write_state(artifacts / "encoders/pca", state)
    config = {"kind": "baseline", "row": cfg, "input_shape": [5]}
    encoders.write(artifacts / "encoders/pca", config, pca.encode(state, x), {}, {})
    kmeans = plugins.load("clusterers", "kmeans")
    fitted = kmeans.fit(kmeans.Config(n_init=2), pca.encode(state, x), 2, 0)
    row = {"encoder": "pca", "clusterer": {"name": "kmeans", "n_init": 2}}
    info = {"row": row, "encoder": "pca"}
    clusterings.write(artifacts / "clusterings/pca-kmeans", info, fitted, np.arange(20) % 2)
    return artifacts / "texts/pca-kmeans"


def test_page_tells_terms_and_names_as_names(page_folder: Path) -> None:
    text.main(["pca-kmeans"])
    with (page_folder / "terms.csv").open(newline="") as stream:
        records = {(row["cluster"], row["term"]): row for row in csv.DictReader(stream)}
    assert records["0", "flour"]["here"] == "1"
    assert records["1", "ship"]["elsewhere"] == "0"
    assert ("0", "ship") not in records
    html = (page_folder / "index.html").read_text(encoding="utf-8")
    assert html.count("<script") == 2, "the data and the page's own"
    assert "unsafe" not in html
    assert "<b>bread" not in html
    assert "&lt;b&gt;bread&lt;/b&gt;" in html
    assert not re.search(r"""(src=|https?://|style=)""", html)
    assert "Precision" not in html
    guesses = re.findall("perhaps (.*)</p>", html)
    assert sorted(map(str.strip, guesses[0].split(","))) == [
        "&lt;b&gt;bread&lt;/b&gt;",
        "bread",
        "flour",
    ]
    assert guesses[1] == "ship, the"


def test_every_cluster_has_the_documents_nearest_to_its_mean(page_folder: Path) -> None:
    text.main(["pca-kmeans"])
    codes = np.load("artifacts/mnist_5k/encoders/pca/codes.npy")[1::2]
    nearest = np.linalg.norm(codes - codes.mean(axis=0), axis=1).argmin()
    listed = (page_folder / "index.html").read_text(encoding="utf-8").split("<ol")[2]
    first = re.search(r"<li[^>]*>(.*)</li>", listed)
    assert first is not None
    assert first[1] == f"{2 * nearest + 1}.txt"


def test_noise_has_the_documents_nearest_to_its_mean(page_folder: Path) -> None:
    stored = StoredClustering(Path("artifacts/mnist_5k/clusterings/pca-kmeans"))
    clusters = stored.clusters
    clusters[1::3] = -1
    clusterings.write(stored.folder, stored.info, stored.state, clusters)
    text.main(["pca-kmeans"])
    codes = np.load("artifacts/mnist_5k/encoders/pca/codes.npy")[1::3]
    nearest = np.linalg.norm(codes - codes.mean(axis=0), axis=1).argmin()
    listed = (page_folder / "index.html").read_text(encoding="utf-8").split("<ol")[-1]
    first = re.search(r"<li[^>]*>(.*)</li>", listed)
    assert first is not None
    assert first[1] == f"{3 * nearest + 1}.txt"


def test_precision_is_that_of_the_report(page_folder: Path) -> None:
    Path("results/mnist_5k").mkdir(parents=True)
    lines = ["autoencoder,precision_1,precision_5,precision_10", "pca,0.5,0.25,0.125", "pixels,,,"]
    Path("results/mnist_5k/codes.csv").write_text("\n".join(lines))
    text.main(["pca-kmeans"])
    assert "<td>0.250</td>" in (page_folder / "index.html").read_text(encoding="utf-8")
    precisions = page.precisions(Path("results/mnist_5k/codes.csv"), ["pixels", "pca", "deep"])
    assert precisions == [("pca", [0.5, 0.25, 0.125])], "without labels the cells are empty"


def test_query_finds_the_nearest(page_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("narrows.data.datasets.text")
    Path("letter.txt").write_text("The ship! A ship.")
    for query, cluster in (("flour for the bread", "0"), ("letter.txt", "1")):
        text.main(["pca-kmeans", "--query", query, "-n", "3"])
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        assert [row["rank"] for row in rows] == ["1", "2", "3"]
        assert {row["cluster"] for row in rows} == {cluster}
        distances = [float(row["distance"]) for row in rows]
        assert distances == sorted(distances)
    with pytest.raises(UserError, match="no word of 'zebra' is a term of mnist_5k"):
        text.main(["pca-kmeans", "--query", "zebra"])
    assert not page_folder.exists()


def test_terms_of_one_cluster_alone() -> None:
    """There is nothing to be above of but nothing."""
    top_terms = terms.top_terms(np.array([[0.5, 0.0]]), ["a", "b"], np.array([-1]), n=5)
    assert top_terms == {-1: [terms.Term("a", 1.0, 0.0)]}
