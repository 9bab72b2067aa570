"""examples/*.yaml run as they are told to, on data of our own making, and see what changes."""

import csv
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from helpers import warm
from helpers.own_data import documents, example, pictures
from helpers.project import ROOT, Project, row
from narrows.config import params
from narrows.report import artifacts

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


RUN = """
from importlib import import_module
stages = "fetch prepare pretrained encode choose_k cluster deep_cluster evaluate seeds report"
for stage in stages.split():
    import_module(f"narrows.stages.{stage}").main()
"""
NAMES = ("image_folder", "table", "text", "array", "points")
THEIRS = ("torchvision", "huggingface")  # sets of libraries, which have the rows of other examples


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each example's stages in the order of DVC, in a process each."""
    folder = tmp_path_factory.mktemp("own")
    for name in NAMES:
        chosen = example(name, folder / "data")
        if name in ("image_folder", "text"):
            chosen["dataset"]["labels"] = "folders"
        (folder / name).mkdir()
        YAML(typ="safe").dump(chosen, folder / name / "params.yaml")
        command = [warm.python(), "-c", RUN]
        done = subprocess.run(command, cwd=folder / name, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_every_example_is_tried_and_says_why_it_has_these_rows() -> None:
    """Three lines or more after the empty one, which `narrows new` takes over."""
    names = sorted(file.stem for file in (ROOT / "examples").glob("*.yaml"))
    assert names == sorted([*NAMES, "photos", "sentences"])
    for name in names:
        params.load(ROOT / "examples" / f"{name}.yaml")
        header = (ROOT / "examples" / f"{name}.yaml").read_text().partition("seed:")[0]
        assert header.partition("\n#\n")[2].count("\n# ") >= 2, name


@pytest.mark.parametrize(
    ("name", "dataset", "autoencoder", "trained_on"),
    [
        ("photos", "image_folder", "squeezed", "ImageNet-1k, supervised"),
        ("sentences", "text", "narrow", "a billion pairs of English sentences"),
    ],
)
def test_an_example_with_an_encoder_of_others_runs_to_its_report(
    name: str, dataset: str, autoencoder: str, trained_on: str, tmp_path: Path
) -> None:
    """Every row of it, on dark and light pictures, or the sea and the land: features tell them
    apart."""
    make = {"image_folder": pictures, "text": documents}[dataset]
    raw = YAML(typ="safe").load(ROOT / f"examples/{name}.yaml")
    raw["dataset"] |= {"path": str(make(tmp_path / "data")), "labels": "folders"}
    raw["autoencoders"][autoencoder]["train"]["epochs"] = 2
    raw |= {"n_clusters": 2, "seeds": {**raw["seeds"], "values": [0]}}
    YAML(typ="safe").dump(raw, tmp_path / "params.yaml")
    command = [warm.python(), "-c", RUN]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = tmp_path / "results" / dataset
    inputs = {row["autoencoder"]: row["input"] for row in rows(results / "autoencoders.csv")}
    rows_of = {**raw["baselines"], **raw["autoencoders"]}
    assert inputs == {key: row.get("input", "samples") for key, row in rows_of.items()}
    page = (results / "report.html").read_text()
    assert page.count(f"trained by others on {trained_on}") == 2  # beside either table with rows
    (pretrained,) = raw["pretrained"]
    assert page.count(f"of {pretrained}</span>") == sum(
        rows_of[row["encoder"]].get("input") == pretrained for row in raw["clusterings"].values()
    )
    scores = {row["clustering"]: row for row in rows(results / "clusterings.csv")}
    assert float(scores[f"{pretrained}-kmeans"]["acc"]) == 1.0


def test_the_blocks_of_the_documentation_are_accepted() -> None:
    guides = [file.read_text() for file in (ROOT / "docs/guides").glob("*.md")]
    blocks = re.findall(r"```yaml\n(dataset:.*?)```", "\n".join(guides), re.DOTALL)
    sections = [YAML(typ="safe").load(block)["dataset"] for block in blocks]
    assert {block["name"] for block in sections} == {*NAMES, *THEIRS}
    for block in sections:
        params.plugin("datasets", block)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs_to_its_report(name: str, results: Path) -> None:
    folder = results / name / "results" / name
    page = (folder / "report.html").read_text()
    scores = rows(folder / "clusterings.csv")[-1]
    assert scores["split"] == "all"
    if name in ("image_folder", "text"):
        assert float(scores["acc"]) == 1.0
    else:
        assert "This data has no labels" in page
        assert scores["acc"] == ""
    n_samples = {"image_folder": 40, "table": 60, "text": 30, "array": 60, "points": 500}
    assert int(scores["n"]) == n_samples[name]


def test_the_guide_s_new_rows_are_encoded(results: Path) -> None:
    """The block of Python in docs/guides/tables.md, on rows that the table has, too."""
    text = (ROOT / "docs/guides/tables.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    shutil.copy(next((results / "data").rglob("rows.csv")), results / "table/new.csv")
    command = [warm.python(), "-c", block]
    done = subprocess.run(command, cwd=results / "table", capture_output=True, text=True)
    assert done.stdout.startswith("(60, "), done.stderr


def test_report_knows_what_the_user_called_the_labels(results: Path) -> None:
    data = artifacts.read_data(results / "image_folder/data/image_folder")
    assert data.label_names == ("dark", "light")
    assert artifacts.read_data(results / "table/data/table").label_names == ()


def test_prepare_runs_again_only_when_files_change(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", {"unused": row()})
    section = {"name": "image_folder", "path": str(pictures(tmp_path / "photos")), "size": 12}
    project.write(project.read() | {"dataset": section})
    assert project.repro("prepare") == ["prepare"]
    data, folder = project.folder / "data/image_folder", tmp_path / "photos"
    names = [sample["path"] for sample in rows(data / "samples.csv")]
    assert len(names) == 40
    assert names[:2] == ["dark/0 é.png", "dark/10 é.png"]
    assert {line["path"] for line in rows(data / "skipped.csv")} == {"cut.png", "readme.txt"}

    (folder / names[0]).touch()  # the same bytes at another time
    assert project.repro("prepare") == []
    before = (data / "x.npy").read_bytes()
    (folder / "dark/again.png").write_bytes((folder / names[0]).read_bytes())
    assert project.repro("prepare") == ["prepare"]
    assert rows(data / "skipped.csv")[1]["reason"] == "duplicate: of dark/0 é.png"
    assert (data / "x.npy").read_bytes() == before  # so that nothing else runs again
