"""The README says what is so: its rooms, its commands, its pictures; and it is one screen long."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PLACES = ("src", "tests", "pipelines", "benchmarks", "examples", "schedule")
MENTION = re.compile(r"(?<![\w/.])docs/[\w/-]+\.md")


def test_it_is_short() -> None:
    lines = README.splitlines()
    assert len(lines) <= 200
    assert max(map(len, lines)) <= 110


def test_it_names_every_room() -> None:
    rooms = README.split("## Where things are")[1].split("```")[1]
    named = re.findall(r"^  (\S+?)/? ", rooms, re.MULTILINE)
    entries = {path.name for path in (ROOT / "src/narrows").iterdir()}
    files = {"__init__.py", "__main__.py", "__pycache__", "py.typed"}
    assert set(named) == entries - files
    assert len(named) == len(set(named))


def test_make_prints_the_targets_that_it_names() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z-]+)", README))
    assert {"repro", "test", "docs"} <= named <= targets


def test_its_links_lead_somewhere() -> None:
    addresses = re.findall(r"\]\(([\w/.#-]+)\)", README)
    assert len(addresses) > 15
    for address in addresses:
        assert (ROOT / address.partition("#")[0]).exists(), address


@pytest.mark.parametrize("place", PLACES)
def test_pages_that_code_names_are_there(place: str) -> None:
    for file in (ROOT / place).rglob("*"):
        if file.suffix in (".py", ".yaml", ".j2") and file.name != "test_text.py":
            for name in MENTION.findall(file.read_text(encoding="utf-8")):
                assert (ROOT / name).exists(), f"{file.relative_to(ROOT)}: {name}"


def test_pages_that_other_files_name_are_there() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "Makefile", "SECURITY.md"):
        for page in MENTION.findall((ROOT / name).read_text(encoding="utf-8")):
            assert (ROOT / page).exists(), f"{name}: {page}"
