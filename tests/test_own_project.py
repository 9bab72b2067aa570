"""A folder of pictures as a project of its own: `narrows gallery --data FOLDER`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from helpers.own_data import pictures
from helpers.project import ROOT
from narrows.commands import _project, gallery
from narrows.config import params
from narrows.errors import UserError
from narrows.store import clusterings

NAME = """my "best" photo's $HOME `date` #1 & é"""


def test_a_folder_is_prepared_beside_the_users_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = pictures(tmp_path / NAME)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("params.yaml").write_text("mine")
    project, row = _project.of_pictures(Path("..", NAME), None)
    _project.dvc(project, "repro", "prepare")
    assert sorted(os.listdir()) == [".work", "params.yaml"]
    assert Path("params.yaml").read_text() == "mine"
    assert project.parent == tmp_path / "here/.work/projects"
    assert project.name.startswith("my-best-photo-s-home-date-1-")
    settings = YAML(typ="safe").load(project / "params.yaml")
    assert settings["dataset"]["path"] == str(photos)
    assert settings["n_clusters"] == "auto"
    assert [*settings["clusterings"]] == [row] == ["effnet-umap-gmm"]
    assert [*settings["pretrained"]] == ["effnet"]
    assert settings["autoencoders"] == {}
    x = np.load(project / "data/image_folder/x.npy")
    assert x.shape == (40, 3, 64, 64)
    assert _project.of_pictures(photos, row) == (project, row)
    with pytest.raises(UserError, match="dvc repro failed in"):
        _project.dvc(project, "repro", "nothing")
    with pytest.raises(UserError, match="none is no folder"):
        _project.of_pictures(Path("none"), None)
    larger_than_learned(project, photos, monkeypatch)


def test_a_row_stands_without_the_one_that_it_is_like() -> None:
    settings = YAML(typ="safe").load(ROOT / "examples/table.yaml")
    settings["choose_k"]["encoder"] = "pca"
    settings["clusterings"]["heir"] = {"like": "narrow-gmm", "encoder": "denoising"}
    _project._keep_only(settings, "heir")
    p = params.from_dict(settings)
    assert (list(p.baselines), list(p.autoencoders)) == (["pca"], ["denoising"])
    assert p.autoencoders["denoising"].config.train.epochs == 30, "as in the row that it was like"
    assert p.clusterings["heir"].clusterer.name == "gmm"


def larger_than_learned(project: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thumbnails show the originals, in the order of x.npy, also where files have come since."""
    monkeypatch.chdir(project)
    artifacts = Path("artifacts/image_folder")
    row = "effnet-umap-gmm"
    (artifacts / f"clusterings/{row}").mkdir(parents=True)
    info = {"row": {"encoder": "effnet-pca"}, "encoder": "effnet-pca"}
    clusterings.write(artifacts / f"clusterings/{row}", info, {}, np.zeros(40, int))
    chosen = gallery._base.read_row(row)
    with Image.open(photos / "dark/0 é.png") as first:
        first.save(photos / "another.bmp")
    thumbnails = gallery.thumbnails(chosen, photos)
    assert thumbnails.shape == (40, 3, 96, 96)
    shrunk = thumbnails.reshape(40, 3, 32, 3, 32, 3).mean(axis=(3, 5))
    learned = chosen.x.reshape(40, 3, 32, 2, 32, 2).mean(axis=(3, 5))
    assert np.abs(shrunk - learned).mean() < 3
    (photos / "dark/0 é.png").unlink()
    assert gallery.thumbnails(chosen, photos) is chosen.x


def test_make_hands_every_name_over_as_it_is(tmp_path: Path) -> None:
    """A `python` that prints its words stands in for the real one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").write_text(
        "#!/bin/sh\nexec /usr/bin/env python3 -c "
        "'import json, sys; print(json.dumps(sys.argv[1:]))' \"$@\"\n"
    )
    (folder / "python").chmod(0o755)
    command = ["make", "--silent", "-C", str(ROOT), "-o", ".venv/installed", "gallery"]
    command += [f"DATA={NAME}", f"BIN={os.path.relpath(folder, ROOT)}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == ["-m", "narrows", "gallery", "--data", NAME]


def test_make_says_what_is_wrong_with_params_before_dvc_reads_them(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("datset: {name: digits}\n")
    command = ["make", "--silent", "--file", str(ROOT / "Makefile"), "-o", ".venv/installed"]
    bin_of_this = Path(sys.executable).parent
    done = subprocess.run(
        [*command, "repro"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{bin_of_this}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    sentence = "narrows: params.yaml: datset is not known (did you mean 'dataset'?); accepted are"
    assert done.stderr.startswith(sentence)
    assert "ERROR" not in done.stderr
