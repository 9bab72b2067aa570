"""The README says what is so: its numbers, its tree, its commands."""

import csv
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def committed(file: str) -> str:
    """As the last commit has it: `make repro` on another processor writes other last digits."""
    command = ["git", "-C", str(ROOT), "show", f"HEAD:{file}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{file} is in no commit here")
    return done.stdout


TABLE = re.compile(r"<!-- (results/\S+\.csv)(?:, split test)?: (.*) -->\n((?:\|.*\n)+)")


def test_every_result_of_the_default_has_its_table() -> None:
    files = [file for file, _, _ in TABLE.findall(README)]
    assert {
        f"results/mnist_5k/{name}.csv" for name in ("clusterings", "autoencoders", "codes")
    } <= set(files)
    assert len(files) == README.count("<!-- results/")


@pytest.mark.parametrize(("file", "columns", "table"), TABLE.findall(README))
def test_tables_are_the_results(file: str, columns: str, table: str) -> None:
    key, *names = columns.split()
    lines = committed(file).splitlines()
    measured = {
        row[key]: row for row in csv.DictReader(lines) if row.get("split", "test") == "test"
    }
    table_lines = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    table_rows = {
        cells[0].strip("` "): [cell.strip() for cell in cells[1:]] for cells in table_lines
    }
    assert sorted(table_rows) == sorted(measured)
    for row, cells in table_rows.items():
        for name, cell in zip(names, cells, strict=True):
            digits = len(cell.partition(".")[2])
            value = measured[row][name]
            assert cell == (f"{float(value):,.{digits}f}" if value else ""), (row, name)


def test_tree_names_every_room_and_every_script() -> None:
    tree = README.split("## The tree")[1].split("```")[1]
    lines = re.findall(r"^ *(\S+?)/? ", tree, re.MULTILINE)
    package = lines[lines.index("src/narrows") + 1 : lines.index("benchmarks")]
    entries = {path.name for path in (ROOT / "src/narrows").iterdir()}
    assert len(package) == 20
    assert set(package) == entries - {"__init__.py", "__pycache__"}
    scripts = lines[lines.index("pipelines") + 1 : lines.index("src/narrows")]
    assert set(scripts) - {"dvc.yaml,"} == {path.name for path in ROOT.glob("pipelines/*.py")}


def test_make_prints_the_targets_that_the_readme_names() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z-]+)", README)) - {"alone"}
    assert {"repro", "test", "ui"} <= named <= targets


def test_pictures_and_files_exist() -> None:
    for name in re.findall(r"\]\(([\w/.-]+)\)", README):
        assert (ROOT / name).exists(), name
