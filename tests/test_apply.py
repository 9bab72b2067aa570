"""`python -m narrows apply` on small finished projects of pictures, rows and documents."""

import io
import json
import os
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML
from scipy import sparse

from helpers import warm
from helpers.own_data import example
from narrows import engine
from narrows.clustering.saved import Saved
from narrows.commands import _base, apply, predict
from narrows.data import names, new_files
from narrows.engine import Outcome
from narrows.errors import UserError
from narrows.explore import answers
from narrows.explore import apply as explore
from narrows.explore.answers import Answer
from narrows.explore.apply import Known, describe
from narrows.explore.question import Question
from narrows.tracking import models, registry

RUN = """
import os, sys
from pathlib import Path
from narrows.config import params
from narrows.stages import cluster, encode, fetch, prepare
from narrows.store import choices
from narrows.store.choices import ChosenK
for folder in sys.argv[1:]:
    os.chdir(folder)
    p = params.load()
    place = Path("artifacts", p.dataset.name, "choose_k")
    place.mkdir(parents=True)
    choices.write_k(place, ChosenK([], None, 2))
    fetch.main()
    prepare.main()
    encode.main(*p.baselines)
    cluster.main()
"""
NAMES = ("image_folder", "table", "text")


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished project of each kind, whose codes are two components."""
    folder = tmp_path_factory.mktemp("apply")
    for name in NAMES:
        settings = example(name, folder / "data")
        clusterer = {"name": "kmeans", "n_init": 2}
        settings |= {"autoencoders": {}, "baselines": {"pca": {"name": "pca", "code_size": 2}}}
        settings |= {"clusterings": {"pca-kmeans": {"encoder": "pca", "clusterer": clusterer}}}
        settings["choose_k"]["encoder"] = "pca"
        (folder / name).mkdir()
        YAML(typ="safe").dump(settings, folder / name / "params.yaml")
    folders = [str(folder / name) for name in NAMES]
    command = [warm.python(), "-c", RUN, *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def pictures(projects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two new pictures, a known one, noise, and two files that are broken."""
    monkeypatch.chdir(projects / "image_folder")
    new = tmp_path / 'new "ones" #1'
    (new / "a b").mkdir(parents=True)
    generator = np.random.default_rng(1)
    for name, least in (("dark", 0), ("light", 180)):
        pixels = generator.integers(least, least + 60, (12, 16, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(new / f"a b/{name} <b>'é.png")
    noise = np.zeros((12, 16, 3), np.uint8)
    noise[:, ::2] = 255
    Image.fromarray(noise).save(new / "noise.png")
    shutil.copy(projects / "data/image_folder/dark/8 é.png", new / "again.png")
    (new / "cut.png").write_bytes((new / "noise.png").read_bytes()[:60])
    (new / "empty.jpg").touch()
    return new


def clusters() -> dict[str, int]:
    """By name of a known picture."""
    x = np.load("data/image_folder/x.npy")
    named = names.read(Path("data/image_folder/samples.csv"), len(x))
    assert named
    own = np.load("artifacts/image_folder/clusterings/pca-kmeans/clusters.npz")["clusters"]
    return dict(zip(named.paths, own.tolist(), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_model_alone_predicts_what_the_project_says(
    name: str, projects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same files; the model brings how they are read, and nothing else is there."""
    monkeypatch.chdir(projects / name)
    path = YAML(typ="safe").load(Path("params.yaml"))["dataset"]["path"]
    apply.main([path, "--run", "pca-kmeans", "--to", str(tmp_path / "apply.csv")])
    served = models.of_clustering(Path("artifacts", name), Path("data", name), "pca-kmeans")
    with zipfile.ZipFile(io.BytesIO(models.packed(served))) as archive:
        archive.extractall(tmp_path / "model")
    monkeypatch.setattr(registry, "download", lambda uri, folder: tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    predict.main(["--model", "models:/one@champion", path, "--to", "predict.csv"])
    own, theirs = (pd.read_csv(f"{command}.csv") for command in ("predict", "apply"))
    assert len(own.columns) == 7
    pd.testing.assert_frame_equal(own, theirs[own.columns], rtol=1e-4, atol=1e-5)


def test_pictures_get_clusters_outliers_and_the_most_similar(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apply.main([str(pictures), "--run", "pca-kmeans", "--to", str(pictures.parent / "table.csv")])
    table = pd.read_csv(pictures.parent / "table.csv").set_index("name")
    own = clusters()
    assert table.loc["a b/dark <b>'é.png", "cluster"] == own["dark/0 é.png"]
    assert table.loc["a b/light <b>'é.png", "cluster"] == own["light/1 é.png"]
    assert table.loc["a b/light <b>'é.png", "similar_1"].startswith("light/")
    assert table.loc["again.png", "similar_1"] == "dark/8 é.png"
    assert table.loc["again.png", "similar_1_distance"] < 1e-5
    assert table.loc["noise.png", "rank"] == 1
    assert table["outlier"].dropna().to_dict()["noise.png"] is True
    assert 0.5 <= table.loc["again.png", "membership"] <= 1
    assert table.loc["cut.png", "skipped"].startswith("truncated")
    assert table.loc["empty.jpg", "skipped"] == "empty"
    assert pd.isna(table.loc["cut.png", "cluster"])
    said = capsys.readouterr().err
    assert said.startswith("apply: 4 samples by pca-kmeans, ")
    assert "skipped 1 empty, 1 truncated" in said


def test_a_page_shows_new_pictures_beside_the_known(pictures: Path) -> None:
    target = pictures.parent / "page"
    apply.main([str(pictures), str(pictures / "noise.png"), "--to", str(target), "-n", "2"])
    html = (target / "index.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script[^>]*json[^>]*>(.*?)</script>", html, re.DOTALL)
    content, similar = json.loads(scripts[1]), json.loads(scripts[2])
    own = {s["cluster"]: s["size"] for s in content["sections"]}
    assert sum(n for cluster, n in own.items() if cluster >= 0) == 5
    assert content["sections"][-1]["cluster"] == -2
    again = next(at for at, path in enumerate(content["paths"]) if path.endswith("again.png"))
    first = content["paths"][similar[again][0]]
    assert first.endswith("dark/8 é.png")
    for path in content["paths"]:  # whether new or known, the link leads there
        assert (pictures.parent / common(pictures) / path).is_file()
    assert {content["paths"][at].rpartition("/")[2] for at in content["outliers"]} == {"noise.png"}
    assert len(pd.read_csv(target / "samples.csv")) == 7


def common(pictures: Path) -> Path:
    """What the page's paths are relative to: the folder around new and known pictures."""
    known = YAML(typ="safe").load(Path("params.yaml"))["dataset"]["path"]
    return Path(os.path.commonpath([Path(known).resolve(), pictures.resolve()]))


def test_names_and_coarse_groups_stand_beside_the_clusters(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cluster 0 was merged into 1, which is called bright; both are in coarse group A."""
    target, file = pictures.parent / "named.csv", pictures.parent / "names.json"
    rows = [{"cluster": c, "name": "bright" if c else None, "into": 1} for c in (0, 1)]
    file.write_text(json.dumps({"clusters": rows}))
    monkeypatch.setattr(_base, "coarse_letters", lambda *_: {0: "A", 1: "A"})
    apply.main([str(pictures / "noise.png"), "--to", str(target), "--names", str(file)])
    row = pd.read_csv(target).iloc[0]
    assert (row["group"], row["coarse"]) == ("bright", "A")
    file.write_text(json.dumps({"identity": "of others", "clusters": rows}))
    with pytest.raises(UserError, match="names of other clusters"):
        apply.main([str(pictures / "noise.png"), "--names", str(file)])


def test_nothing_is_overwritten_and_mistakes_are_sentences(pictures: Path) -> None:
    before = sorted(pictures.rglob("*"))
    (pictures.parent / "there.csv").write_text("mine")
    for words, sentence in (
        (["--to", str(pictures.parent / "there.csv")], "there.csv is there already"),
        (["--to", str(pictures)], "is not empty"),
        (["--to", str(pictures / "page")], "may not be made within"),
        (["--run", "pca-kmean"], r"has no row 'pca-kmean' \(did you mean 'pca-kmeans'"),
        (["--run", "champion"], "image_folder has no champion"),
        ([str(pictures / "none")], "there is no "),
    ):
        with pytest.raises(UserError, match=sentence):
            apply.main([str(pictures), *words])
    with pytest.raises(UserError, match=r"empty.jpg: nothing can be used \(skipped: 1 empty\)"):
        apply.main([str(pictures / "empty.jpg")])
    assert sorted(pictures.rglob("*")) == before
    assert (pictures.parent / "there.csv").read_text() == "mine"


def test_arrays_are_checked(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.load("data/image_folder/x.npy")
    np.save(tmp_path / "some.npy", x[:3].astype(np.float64))
    apply.main([str(tmp_path / "some.npy"), "-n", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split(",")[1:3] == ["row 1", str(clusters()["dark/0 é.png"])]
    assert "dark/0 é.png" in lines[1]
    for wrong, sentence in (
        (x[0] / 255, "pixels are whole numbers from 0 to 255, found 0."),
        (x[:2, :1], r"samples are of shape \(3, 32, 32\), found an array \(2, 1, 32, 32\)"),
        (np.array(["a"]), "no array of numbers that can be read: it holds <U1"),
        (x[0] * np.nan, "samples have values that are not finite"),
    ):
        np.save(tmp_path / "wrong.npy", wrong)
        with pytest.raises(UserError, match=sentence):
            apply.main([str(tmp_path / "wrong.npy")])


def test_a_file_that_is_no_array_is_a_sentence(tmp_path: Path) -> None:
    """An archive of arrays, and headers that claim more than the file holds: 4 bytes each of 10^13
    and, with 2^80, of more than numpy counts."""
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema/schema.json").write_text("{}")
    np.savez(tmp_path / "schema/arrays.npz")
    like, file = np.zeros((1, 2), np.float32), tmp_path / "new.npy"
    with file.open("wb") as stream:
        np.savez(stream, x=like)
    contents = [file.read_bytes()]
    for shape in ((10**13, 2), (2**40, 2**40, 2)):
        with file.open("wb") as stream:
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)
            stream.write(bytes(8))
        contents.append(file.read_bytes())
    for content in contents:
        file.write_bytes(content)
        with pytest.raises(UserError, match=r"new\.npy: no array of numbers that can be read: "):
            new_files.read([file], tmp_path, like)


def test_pixels_in_lines_are_samples(tmp_path: Path) -> None:
    """Of data that its own file holds as arrays, like MNIST."""
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema/schema.json").write_text("{}")
    np.savez(tmp_path / "schema/arrays.npz")
    like, file = np.zeros((1, 1, 2, 2), np.uint8), tmp_path / "new.csv"
    file.write_text("0,1,2,3\n255,0,0.0,7\n")
    new = new_files.read([file], tmp_path, like)
    assert new.x.dtype == np.uint8
    assert new.x.tolist() == [[[[0, 1], [2, 3]]], [[[255, 0], [0, 7]]]]
    assert new.names == ["row 1", "row 2"]
    for content, sentence in (
        ("1,2,3\n", "a line has the 4 values of a sample, found 3"),
        ("", "a line has the 4 values of a sample, found "),
        ("1,2,3,256\n", "pixels are whole numbers from 0 to 255, found 256"),
        ("1,2,3,4\n1,2,3\n", "no table of numbers alone: "),
        ("a,b,c,d\n1,2,3,4\n", "no table of numbers alone: "),
    ):
        file.write_text(content)
        with pytest.raises(UserError, match=rf"new\.csv: {sentence}"):
            new_files.read([file], tmp_path, like)


def test_other_data_is_not_answered_from_old_codes(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(".", pictures.parent / "copy")
    monkeypatch.chdir(pictures.parent / "copy")
    split = np.load("data/image_folder/split.npy")
    np.save("data/image_folder/split.npy", split[::-1])
    with pytest.raises(UserError, match="pca-kmeans was made from other data than"):
        apply.main([str(pictures)])


def test_rows_are_checked_by_the_schema(
    projects: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(projects / "table")
    (tmp_path / "new.csv").write_text("colour,size\nred,0.1\nblue,10.2\ngreen,10\nblue,-0.5\n")
    apply.main([str(tmp_path / "new.csv"), "--to", str(tmp_path / "table.parquet")])
    table = pd.read_parquet(tmp_path / "table.parquet")
    assert table["name"].tolist() == ["row 1", "row 2", "row 3", "row 4"]
    assert table["cluster"][0] != table["cluster"][1]
    assert table["score"].argmax() in (2, 3)  # an unseen colour, or a colour of the other size
    assert table["columns"].str.contains("%").all()
    said = capsys.readouterr().err
    assert "column 'colour': 1 values of other categories, for example green" in said
    (tmp_path / "less.csv").write_text("size\n1\n")
    with pytest.raises(UserError, match=r"less\.csv: column 'colour' is missing; found size"):
        apply.main([str(tmp_path / "less.csv")])
    with pytest.raises(UserError, match="a page is made of pictures"):
        apply.main([str(tmp_path / "new.csv"), "--to", str(tmp_path / "page")])
    assert not list(tmp_path.glob("*page*"))


def test_without_a_loss_no_outlier_is_called_and_what_was_assumed_is_said(
    projects: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two components are all that a size and one of two colours have."""
    monkeypatch.chdir(projects / "table")
    (tmp_path / "new.csv").write_text("colour,size,\nred,0.1,\nblue,1e6,\nblue,,\n")
    apply.main([str(tmp_path / "new.csv"), "--to", str(tmp_path / "table.csv")])
    assert pd.read_csv(tmp_path / "table.csv")["outlier"].isna().all()
    *said, last = capsys.readouterr().err.splitlines()
    assert "reconstructs known samples without a loss: there is no outlier to tell" in last
    assert any("'size': 1 gaps count as its middle" in line for line in said)
    assert any("1 values lie far beyond -1.288 to 11.514, for example 1e6" in line for line in said)
    assert said[-1] == "apply: columns are read as data/table/schema/assumed.txt says"
    assert "column 'colour': categorical; 2: blue, red" in (
        Path("data/table/schema/assumed.txt").read_text()
    )
    (tmp_path / "none.csv").write_text("colour,size\n")
    with pytest.raises(UserError, match=r"none.csv: nothing can be used \(skipped: 1 no rows\)"):
        apply.main([str(tmp_path / "none.csv")])


@pytest.mark.parametrize("kind", ["table", "array"])
def test_a_value_outside_the_range_is_an_outlier(kind: str) -> None:
    """Two columns that are reconstructed with errors of .1; the last row's second value lies
    30 ranges above what its feature can say."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.2, 0.8, (100, 2)).astype(np.float32)
    clustering = Saved(
        input_shape=(2,),
        encode=lambda samples: samples.numpy(),
        cluster=lambda z: np.zeros(len(z), int),
        soft=lambda z: np.ones((len(z), 1)),
        reconstruct=lambda samples: samples.numpy() + rng.normal(0, 0.1, samples.shape),
        centres=np.zeros((1, 2)),
    )
    columns = [{"name": "a", "features": [0, 1]}, {"name": "b", "features": [1, 2]}]
    new, beyond = np.array([[0.5, 0.5], [0.5, 1]], np.float32), np.array([[0, 0], [0, 30.0]])
    if kind == "array":
        columns, beyond = [], np.sqrt(np.square(beyond).mean(axis=1, keepdims=True))
    known = Known(x, x, np.arange(100), columns, sparse.csr_array((100, len(columns))))
    answer = describe(clustering, known, new, beyond, 1)
    assert answer.is_outlier.tolist() == [False, True]
    assert answer.reasons[1].startswith("b (" if columns else "")


def test_what_is_said_of_a_sample_does_not_depend_on_the_others() -> None:
    """An encoder whose codes and reconstructions depend on how many samples it is given."""
    x = np.random.default_rng(0).uniform(size=(300, 2)).astype(np.float32)
    clustering = Saved(
        input_shape=(2,),
        encode=lambda samples: samples.numpy() + 1e-6 * len(samples),
        cluster=lambda z: np.zeros(len(z), int),
        soft=lambda z: np.ones((len(z), 1)),
        reconstruct=lambda samples: samples.numpy() * (1 + 1e-6 * len(samples)),
        centres=np.zeros((1, 2)),
    )
    known = Known(x, x, np.arange(100), [], sparse.csr_array((300, 0)))
    answers = []
    for n in (1, 2, 256, 290):
        new = np.linspace(0.1, 0.9, 2 * n, dtype=np.float32).reshape(n, 2)
        new[0] = 0.3, 0.7
        answers.append(describe(clustering, known, new, np.zeros((n, 0)), 1))
        assert len(answers[-1].scores) == len(answers[-1].answer.clusters) == n
    assert len({float(answer.scores[0]) for answer in answers}) == 1
    assert len({answer.answer.codes[0].tobytes() for answer in answers}) == 1


def test_documents_without_a_known_term_are_skipped(
    projects: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(projects / "text")
    (tmp_path / "sea.txt").write_text("a ship with a sail")
    (tmp_path / "other.txt").write_text("quark")
    apply.main([str(tmp_path), "-n", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split(",")[1] == "sea.txt"
    assert ",sea/" in lines[1]
    assert lines[2].endswith(",no known term")


def test_a_table_takes_no_folder(projects: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(projects / "table")
    with pytest.raises(UserError, match=r"is a folder; accepted are \.csv, \.tsv and \.parquet"):
        apply.main([str(projects)])


def in_project(name: str, projects: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Goes there, and lets parts be small; its data, so often that there are six of them."""
    monkeypatch.chdir(projects / name)
    monkeypatch.setattr(explore, "TOGETHER", explore.AT_ONCE)
    path = YAML(typ="safe").load(Path("params.yaml"))["dataset"]["path"]
    return [path] * (1400 // len(np.load(f"data/{name}/x.npy")))


def in_process(task: Any, rows: Any, *_: Any, **__: Any) -> Any:
    """An engine that starts no process."""
    return (Outcome(row, task(row)) for row in rows)


@pytest.mark.parametrize("name", NAMES)
def test_a_table_written_in_parts_is_the_table_of_all(
    name: str, projects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of pictures, rows and documents; what was skipped stands behind the last ones."""
    paths = in_project(name, projects, monkeypatch)
    monkeypatch.setattr(engine, "each", in_process)
    for folder, together in (("parts", explore.AT_ONCE), ("whole", 4096)):
        monkeypatch.setattr(explore, "TOGETHER", together)
        for file in ("t.csv", "t.parquet"):
            apply.main([*paths, "--run", "pca-kmeans", "--to", str(tmp_path / folder / file)])
    whole, parts = (pd.read_parquet(tmp_path / f / "t.parquet") for f in ("whole", "parts"))
    pd.testing.assert_frame_equal(whole, parts)
    assert len({(tmp_path / f / "t.csv").read_bytes() for f in ("whole", "parts")}) == 1
    assert not list(answers.FOLDER.iterdir())


def test_a_killed_table_goes_on_and_is_the_same(
    projects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of rows; the second part fails, the others are there already and are not computed again, but
    for the last, of which a power cut has left half."""
    paths = in_project("table", projects, monkeypatch)
    words = [*paths, "--run", "pca-kmeans", "--to"]
    apply.main([*words, str(tmp_path / "through.parquet")])
    computed: list[int] = []
    write = answers.write

    def stops_at_the_second(file: Path, answer: Answer) -> None:
        if file.stem == "000001":
            raise KeyboardInterrupt
        write(file, answer)

    def counted(task: Any, rows: Any, *_: Any, **__: Any) -> Any:
        for outcome in in_process(task, sorted(rows, key=lambda row: row[0] == 1)):
            computed.append(outcome.row[0])
            yield outcome

    monkeypatch.setattr(engine, "each", counted)
    monkeypatch.setattr(answers, "write", stops_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        apply.main([*words, str(tmp_path / "resumed.parquet")])
    assert not (tmp_path / "resumed.parquet").exists()
    assert computed == [0, 2, 3, 4, 5, 1]
    (folder,) = answers.FOLDER.iterdir()
    (folder / "000003.parquet").write_bytes((folder / "000003.parquet").read_bytes()[:-9])
    monkeypatch.setattr(answers, "write", write)
    apply.main([*words, str(tmp_path / "resumed.parquet")])
    assert sorted(computed[6:]) == [1, 3]
    assert (tmp_path / "resumed.parquet").read_bytes() == (
        tmp_path / "through.parquet"
    ).read_bytes()


def test_parts_are_of_one_row_these_files_and_these_options(
    projects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(projects / "table")
    file = tmp_path / "folder/new.csv"
    file.parent.mkdir()
    file.write_text("colour,size\nred,1\n")
    question = Question("table", Path("artifacts/table"), "pca-kmeans", False, 5, "cpu")
    questions = [question, replace(question, n_similar=4)]
    names = {answers.fingerprint_of(q, [answers.state_of(file.parent)]) for q in questions}
    file.write_text("colour,size\nred,2\n")
    names.add(answers.fingerprint_of(question, [answers.state_of(file.parent)]))
    (file.parent / "more.csv").touch()
    names.add(answers.fingerprint_of(question, [answers.state_of(file.parent)]))
    assert len(names) == 4


def test_parts_without_a_sample_and_what_is_said_of_several(
    projects: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A part of documents without a known term; a category that is new in two parts."""
    in_project("text", projects, monkeypatch)
    monkeypatch.setattr(engine, "each", in_process)
    rows = [f"quark{i}" for i in range(256)] + [f"ship {i}" for i in range(50)]
    (tmp_path / "new").mkdir()
    for i, text in enumerate(rows):
        (tmp_path / f"new/{i:03}.txt").write_text(text)
    apply.main([str(tmp_path / "new"), "--to", str(tmp_path / "t.parquet"), "-n", "1"])
    table = pd.read_parquet(tmp_path / "t.parquet")
    assert table["skipped"].tolist() == [""] * 50 + ["no known term"] * 256
    assert table["name"].tolist()[:1] + table["name"].tolist()[50:51] == ["256.txt", "000.txt"]
    assert "50 samples by pca-kmeans" in (said := capsys.readouterr().err)
    assert "skipped 256 no known term" in said
    monkeypatch.chdir(projects / "table")
    (tmp_path / "new.csv").write_text("colour,size\n" + "green,1\n" * 300)
    apply.main([str(tmp_path / "new.csv"), "--to", str(tmp_path / "t.csv")])
    assert pd.read_csv(tmp_path / "t.csv")["name"].tolist() == [f"row {i + 1}" for i in range(300)]
    said = capsys.readouterr().err
    assert "'colour': 256 values of other categories, for example green (so in 1 other" in said
    assert "apply: 300 samples" in said
