"""The README says what is so: its tree, its commands, its pictures."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


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
