"""The notebooks run from their first cell to their last, with fewer epochs."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from helpers import warm
from helpers.project import ROOT, environment

NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))


def program(notebook: Path) -> str:
    """Its code cells, one after the other; what a cell ends with is shown as a notebook does."""
    cells = [
        "".join(cell["source"])
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    statements = []
    for cell in cells:
        *lines, last = cell.splitlines()
        is_value = re.match(r"[\w(){\[]", last) and not re.match(r"(import|from|\w+ = )", last)
        statements.append("\n".join([*lines, f"print({last})" if is_value else last]))
    return "\n".join(statements)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook: Path, tmp_path: Path) -> None:
    text, n_changes = re.subn(r"EPOCHS = \d+", "EPOCHS = 1", program(notebook))
    assert n_changes == 1
    done = subprocess.run(
        [warm.python(), "-c", text],
        cwd=tmp_path,
        env=environment(ROOT / "src"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip()


def test_notebooks_are_in_git_without_what_they_gave() -> None:
    assert len(NOTEBOOKS) == 2
    for notebook in NOTEBOOKS:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        assert not any(cell.get("outputs") for cell in cells), notebook
