"""examples/*.yaml run as they are told to, on data of our own making, and see what changes."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from project import ROOT, Project, row
from ruamel.yaml import YAML

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


def pictures(folder: Path) -> Path:
    """Forty pictures, light ones on the left and dark ones on the right, and two that are none."""
    generator = np.random.default_rng(0)
    for i in range(40):
        pixels = generator.integers(0, 60, (12, 16, 3)) + (180 if i % 2 else 0)
        file = folder / ("light" if i % 2 else "dark") / f"{i} é.png"
        file.parent.mkdir(exist_ok=True, parents=True)
        Image.fromarray(pixels.astype(np.uint8)).save(file)
    (folder / "cut.png").write_bytes(file.read_bytes()[:100])
    (folder / "readme.txt").write_text("not a picture")
    return folder


def table(folder: Path) -> Path:
    """Sixty rows of two kinds, by which both columns differ."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    file = folder / "rows.csv"
    with file.open("w", newline="") as sink:
        csv.writer(sink).writerow(["size", "colour"])
        for i in range(60):
            size = generator.normal(10 * (i % 2), 1)
            csv.writer(sink).writerow([f"{size:.3f}", ["red", "blue"][i % 2]])
    return file


def documents(folder: Path) -> Path:
    """Thirty documents on the sea and on the land, which share no word."""
    generator = np.random.default_rng(0)
    words = {"sea": "ship wave salt fish sail".split(), "land": "tree road farm hill cow".split()}
    for name, chosen in words.items():
        (folder / name).mkdir(parents=True)
        for i in range(15):
            (folder / name / f"{i}.txt").write_text(" ".join(generator.choice(chosen, 20)))
    return folder


DATA: dict[str, Callable[[Path], Path]] = {
    "image_folder": pictures,
    "table": table,
    "text": documents,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("own"), {"unused": row()})


def example(name: str, project: Project, folder: Path) -> dict:
    """examples/<name>.yaml with the path of our data, one row that trains in a second, k = 2."""
    params = YAML(typ="safe").load(ROOT / "examples" / f"{name}.yaml")
    if name in DATA:
        params["dataset"]["path"] = str(DATA[name](folder / name))
    key = next(iter(params["autoencoders"]))
    chosen = params["autoencoders"][key]
    chosen["train"] |= {"epochs": 2, "batch_size": 16}
    if "channels" in chosen["network"]:
        chosen["network"]["channels"] = [4, 8]
    params["autoencoders"] = {key: chosen}
    clusterer = {"name": "kmeans", "n_init": 2}
    params["clusterings"] = {f"{key}-kmeans": {"encoder": key, "clusterer": clusterer}}
    params["deep_clusterings"] = {}
    params["n_clusters"] = 2
    params["choose_k"] = {"encoder": key, "largest": 3}
    params["evaluate"]["map_rows"] = 9  # too few for UMAP, which compiles for seconds
    params["baselines"] = dict(list(params["baselines"].items())[:1])
    project.write(params)
    return params


def samples(project: Project, name: str) -> list[dict[str, str]]:
    with (project.folder / "data" / name / "samples.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("name", ["table", "text", "points"])
def test_an_example_runs_to_its_report(name: str, project: Project, tmp_path: Path) -> None:
    example(name, project, tmp_path)
    assert "report" in project.repro()
    page = (project.folder / "results" / name / "report.html").read_text()
    assert "This data has no labels" in page
    assert len(np.load(project.folder / "data" / name / "x.npy")) >= 30


def test_pictures_run_to_their_report_and_again_only_when_they_change(
    project: Project, tmp_path: Path
) -> None:
    params = example("image_folder", project, tmp_path)
    params["dataset"] |= {"labels": "folders", "size": 12}
    project.write(params)
    assert "report" in project.repro()
    results = project.folder / "results/image_folder"
    with (results / "clusterings.csv").open(newline="") as stream:
        assert float(list(csv.DictReader(stream))[-1]["acc"]) == 1.0  # of all rows
    names = [sample["path"] for sample in samples(project, "image_folder")]
    assert len(names) == 40
    assert names[:2] == ["dark/0 é.png", "dark/10 é.png"]
    skipped = (project.folder / "data/image_folder/skipped.csv").read_text()
    assert "cut.png" in skipped
    assert "readme.txt" in skipped
    assert project.repro() == []

    folder = Path(params["dataset"]["path"])
    (folder / names[0]).touch()  # the same bytes at another time
    assert project.repro() == []
    shutil.copy(folder / names[0], folder / "dark" / "again.png")  # known bytes: skipped
    assert project.repro() == ["prepare"]
    assert "duplicate: of dark/0 é.png" in (
        project.folder / "data/image_folder/skipped.csv"
    ).read_text()
    (folder / names[1]).unlink()
    assert project.repro("prepare") == ["prepare"]
    assert len(samples(project, "image_folder")) == 39
