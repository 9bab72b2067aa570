"""docs/ as a site: it builds without a warning, no link is dead, nothing comes from elsewhere."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
FETCHED = {
    ("script", "src"),
    ("img", "src"),
    ("link", "href"),
    ("iframe", "src"),
    ("source", "src"),
}


class Page(HTMLParser):
    """The addresses and the anchors of a page."""

    def __init__(self, file: Path):
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            if (tag, name) in FETCHED and value:
                self.fetched.append(value)
            if (tag, name) == ("a", "href") and value:
                self.links.append(value)


@pytest.fixture(scope="module")
def site() -> Path:
    """site/, built as `make docs` does, and without a warning."""
    for module in ("material", "mkdocstrings"):
        pytest.importorskip(module, reason="`make docs` installs what the site needs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    env = os.environ | {"PYTHONPATH": str(ROOT / "src"), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return ROOT / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file) for file in sorted(site.rglob("*.html"))}


def local(pages: dict[Path, Page]) -> Iterator[tuple[Path, str, Path, str]]:
    """Every address within the site: its page, the address, the file and the anchor it leads to."""
    for file, page in pages.items():
        for address in [*page.links, *page.fetched]:
            parts = urlsplit(address)
            if not (parts.scheme or parts.netloc):
                target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
                yield file, address, target, unquote(parts.fragment)


def test_links_lead_somewhere(pages: dict[Path, Page]) -> None:
    addresses = [link for link in local(pages) if link[0].name != "404.html"]
    assert len(addresses) > 1000
    for file, address, target, anchor in addresses:
        assert target.exists(), f"{file.name}: {address}"
        if anchor and target.suffix == ".html" and not anchor.startswith("__"):
            assert anchor in pages[target].anchors, f"{file.name}: {address}"


def test_nothing_comes_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    for file, page in pages.items():
        for address in page.fetched:
            parts = urlsplit(address)
            assert parts.scheme in ("", "data"), f"{file.name}: {address}"
            assert not parts.netloc, f"{file.name}: {address}"
    styles = list(site.rglob("*.css"))
    assert styles
    for file in styles:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", text), file.name


def test_the_reference_is_that_of_the_code(site: Path) -> None:
    keys = (site / "reference/params.html").read_text()
    assert "Passes over the training split, at most." in keys
    corruptions = (site / "reference/plugins/corruptions.html").read_text()
    assert "Probability of a value to be hit" in corruptions
    commands = (site / "reference/command-line.html").read_text()
    assert "how many similar samples" in commands
    metrics = (site / "reference/metrics.html").read_text()
    assert "Normalised mutual information" in metrics


def test_pages_are_wrapped() -> None:
    """Lines of at most 110 characters, but for those that cannot be broken."""
    for file in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        is_code = False
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            is_code ^= line.lstrip().startswith("```")
            is_free = is_code or line.startswith(("|", "![", "<!--")) or " " not in line
            assert is_free or len(line) <= 110, f"{file.relative_to(ROOT)}:{number}"
