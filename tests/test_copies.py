"""An experiment in a copy of the project, as `dvc exp run --temp` makes one below .dvc/tmp/exps:
what neither git nor DVC tracks is the project's."""

from pathlib import Path
from typing import Any

import pytest

from helpers.own_data import pictures
from narrows import tracking
from narrows.data import mirrors
from narrows.data.datasets import _files, image_folder
from narrows.errors import UserError
from narrows.search import database
from narrows.store import outputs, project


@pytest.fixture(params=["tmpab12", "standalone/tmpab12"], ids=["queue", "temp"])
def copy(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The copy of a project in tmp_path, as the working directory."""
    for name in ("MLFLOW_TRACKING_URI", "NARROWS_STUDIES", "NARROWS_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / ".dvc/tmp/exps" / request.param
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def test_stores_and_locks_are_the_project_s(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project.is_copy()
    assert tracking.uri() == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert database.url() == f"sqlite:///{tmp_path}/studies/studies.db"
    monkeypatch.setenv("NARROWS_STUDIES", "sqlite:///mine.db")
    assert database.url() == f"sqlite:///{tmp_path}/mine.db"
    for elsewhere in ("sqlite:////mine.db", "postgresql+psycopg://anna:p%40w@host/a"):
        monkeypatch.setenv("NARROWS_STUDIES", elsewhere)
        assert database.url() == elsewhere
    with outputs.lock("studies"):
        assert (tmp_path / outputs.LOCKS / "studies.lock").exists()
    assert not (copy / outputs.WORK).exists()


def test_a_project_in_a_folder_of_a_repository(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy / "vision").mkdir()
    monkeypatch.chdir(copy / "vision")
    assert project.root() == tmp_path / "vision"


def test_in_the_project_itself_names_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NARROWS_STUDIES", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").touch()
    assert not project.is_copy()
    assert database.url() == "sqlite:///studies/studies.db"
    assert _files.located("mine.csv") == Path("mine.csv")


def test_a_relative_path_is_looked_for_in_the_copy_and_then_in_the_project(
    copy: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.csv").touch()
    assert _files.located("mine.csv") == tmp_path / "mine.csv"
    (copy / "mine.csv").touch()  # git tracks it: the experiment may be of another commit
    assert _files.located("mine.csv") == Path("mine.csv")
    assert _files.located(str(tmp_path / "mine.csv")) == tmp_path / "mine.csv"
    with pytest.raises(UserError, match=r"^params.yaml: dataset.path: there is no none.csv$"):
        _files.located("none.csv")


@pytest.mark.usefixtures("copy")
def test_labels_beside_the_pictures_are_the_project_s(tmp_path: Path) -> None:
    photos = pictures(tmp_path / "photos")
    (photos / "labels.csv").write_text("filename,label\n")
    image_folder.fetch(image_folder.Config(path="photos", labels="labels.csv"), tmp_path / "raw")
    assert (tmp_path / "raw/labels.csv").read_text() == "filename,label\n"
    listed = _files.read(tmp_path / "raw")
    assert "labels.csv" not in {file.path for file in listed}


@pytest.mark.usefixtures("copy")
def test_a_mirror_is_the_project_s(tmp_path: Path) -> None:
    (tmp_path / "mirror/mnist").mkdir(parents=True)
    (mirror,) = mirrors.own("mnist", "mirror")
    assert "mirror (dataset.mirror)" in str(mirror)


def test_a_folder_whose_name_no_url_can_hold_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "what?/.dvc/tmp/exps/tmpab12"
    copy.mkdir(parents=True)
    monkeypatch.delenv("NARROWS_STUDIES", raising=False)
    monkeypatch.chdir(copy)
    with pytest.raises(UserError, match=r"^a URL cannot hold the \? of .*what"):
        database.url()
