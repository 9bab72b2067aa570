"""How a stage ends, as a program and in somebody's session."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

STAGE = """
import atexit, sys
from narrows import errors

def stage():
    if sys.stdin.readline() == "a mistake\\n":
        raise errors.UserError("params.yaml: seed is missing")

atexit.register(print, "the session has ended")
{before}
errors.run({stage})
print("the session goes on")
"""


def end(
    tmp_path: Path,
    before: str = "",
    stage: str = "stage",
    typed: str = "\n",
    options: tuple[str, ...] = (),
    **env: str,
) -> subprocess.CompletedProcess[str]:
    """Runs a script with a stage, some lines before it and some lines that are typed."""
    script = tmp_path / "stage.py"
    script.write_text(STAGE.format(before=before, stage=stage))
    command = [sys.executable, *options, str(script)]
    return subprocess.run(
        command, input=typed, env={**os.environ, **env}, text=True, capture_output=True, timeout=60
    )


def test_a_script_ends_its_process_as_soon_as_the_stage_is_done(tmp_path: Path) -> None:
    done = end(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_code_that_is_not_that_of_the_folder_is_said(tmp_path: Path) -> None:
    """A project that was copied with its .venv, which imports from the folder it was made in."""
    (tmp_path / "src/narrows").mkdir(parents=True)
    command = [sys.executable, "-c", STAGE.format(before="", stage="stage")]
    done = subprocess.run(command, input="\n", cwd=tmp_path, text=True, capture_output=True)
    assert done.returncode == 0
    assert done.stderr.startswith("narrows: the code that runs is /")
    assert f", not {tmp_path}/src/narrows; `make` sets up" in done.stderr


@pytest.mark.parametrize(
    "before",
    ["sys.settrace(lambda *_: None)", "sys.ps1 = 'In : '", "__name__ = 'imported'"],
    ids=["debugger", "notebook", "import"],
)
def test_a_session_goes_on_after_a_stage(tmp_path: Path, before: str) -> None:
    done = end(tmp_path, before)
    assert done.stdout == "the session goes on\nthe session has ended\n"
    assert done.returncode == 0


def test_an_interactive_python_goes_on_after_a_stage(tmp_path: Path) -> None:
    done = end(tmp_path, "", "lambda: None", "print(1 + 1)\n", ("-i",))
    assert "the session goes on" in done.stdout
    assert "2" in done.stdout


def test_a_mistake_is_a_sentence(tmp_path: Path) -> None:
    done = end(tmp_path, typed="a mistake\n")
    assert done.returncode == 1
    assert done.stderr == "narrows: params.yaml: seed is missing\n"


def test_a_mistake_has_a_traceback_where_one_is_wanted(tmp_path: Path) -> None:
    done = end(tmp_path, typed="a mistake\n", NARROWS_DEBUG="1")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("narrows.errors.UserError: params.yaml: seed is missing\n")
