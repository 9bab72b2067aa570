"""An installed wheel, outside of the checkout: a project from data to its report and new rows."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from helpers.own_data import example
from helpers.project import ROOT, environment

pytest.importorskip("hatchling", reason="the environment is not that of make")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that Python imports the wheel's package from."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def run(cwd: Path, installed: Path, *words: str) -> str:
    """Output of `python ...`, which has to succeed."""
    env = environment(installed)
    env |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"}
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_from_a_table_to_its_report_and_new_rows(installed: Path, tmp_path: Path) -> None:
    where = run(tmp_path, installed, "-c", "import narrows; print(narrows.__file__)")
    assert where.startswith(str(installed))
    chosen = example("table", tmp_path / "data")
    table = chosen["dataset"]["path"]
    run(tmp_path, installed, "-m", "narrows", "new", "mine", "--data", table)
    project = tmp_path / "mine"
    YAML(typ="safe").dump(chosen, project / "params.yaml")  # rows that train in a second
    run(project, installed, "-m", "dvc", "repro")
    assert (project / "results/table/report.html").exists()
    headline = YAML(typ="safe").load(project / "results/table/headline.json")
    assert headline["clustering"]["neighbours"] > 0
    status = subprocess.run(["git", "status", "--short"], cwd=project, capture_output=True).stdout
    assert b"artifacts" not in status
    assert b"headline.json" in status or b"results/" in status
    new = tmp_path / "new.csv"
    shutil.copy(table, new)
    out = run(project, installed, "-m", "narrows", "apply", str(new))
    assert len(out.splitlines()) == 61
    page = run(project, installed, "-m", "narrows", "table")
    assert "index.html" in page
