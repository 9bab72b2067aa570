"""pipelines/stage finds the Python that has narrows, whichever way DVC was started."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.project import ROOT

PLAIN = {"PATH": "/usr/bin:/bin"}  # nothing is activated


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose stage `fetch` says which Python runs it."""
    (tmp_path / "pipelines").mkdir()
    shutil.copy(ROOT / "pipelines/stage", tmp_path / "pipelines")
    script = "import sys, narrows; print(sys.prefix, narrows.__file__)"
    (tmp_path / "pipelines/fetch.py").write_text(script)
    return tmp_path


STAGE = ["sh", "pipelines/stage", "fetch"]
CALL = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
Done = subprocess.CompletedProcess[str]


def run(folder: Path, env: dict[str, str], as_dvc: bool = False) -> Done:
    """Stage fetch, called by a Python with narrows, or some shells away from any."""
    words = STAGE
    for _ in range(0 if as_dvc else 4):
        words = ["sh", "-c", '"$@"; exit $?', "sh", *words]
    words = [sys.executable, "-c", CALL, *words] if as_dvc else words
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)


def test_the_activated_python_runs_it(folder: Path) -> None:
    done = run(folder, {"PATH": f"{Path(sys.executable).parent}:{PLAIN['PATH']}"})
    assert done.stdout.split()[0] == sys.prefix, done.stderr


def test_the_python_of_the_dvc_that_called_runs_it(folder: Path) -> None:
    """As in `.venv/bin/dvc repro`."""
    assert run(folder, PLAIN, as_dvc=True).stdout.split()[0] == sys.prefix


def test_the_project_s_own_environment_runs_it(folder: Path) -> None:
    (folder / ".venv").symlink_to(sys.prefix)
    done = run(folder, PLAIN)
    assert done.stdout.split()[0] in (sys.prefix, str(folder / ".venv")), done.stderr


def test_without_any_the_sentence_says_what_to_type(folder: Path) -> None:
    done = run(folder, PLAIN)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("narrows: no Python on PATH has the package narrows; activate")


def test_a_checkout_s_own_code_comes_first(folder: Path) -> None:
    """A copy of a project never runs the code that its environment was made for."""
    (folder / "src/narrows").mkdir(parents=True)
    (folder / "src/narrows/__init__.py").touch()
    assert run(folder, PLAIN, as_dvc=True).stdout.split()[1] == str(
        folder / "src/narrows/__init__.py"
    )
