"""requirements.lock has the versions of constraints.txt, with hashes, and names no place."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
HASH = r"--hash=sha256:[0-9a-f]{64}"
ELSEWHERE = re.compile(r"sys_platform == '(win32|emscripten)'")  # neither Linux nor macOS


def normalized(name: str) -> str:
    """As package indexes compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_line_is_a_version_with_its_hashes() -> None:
    """No address of an index and no folder of a machine: nothing else is in the file."""
    entries = re.split(r"\n(?=\w)", LOCK.rstrip("\n"))
    assert len(entries) > 200
    for entry in entries:
        first, *hashes = entry.split(" \\\n")
        assert re.fullmatch(r"[\w.-]+==[\w.!+]+( ; [\w\s.<>!='()]+)?", first), first
        assert hashes, first
        assert all(re.fullmatch(rf" +{HASH}", line) for line in hashes), first


def test_its_versions_are_those_that_were_tested_together() -> None:
    pins = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    locked = re.findall(r"^([\w.-]+)==(\S+)(.*)", LOCK, re.MULTILINE)
    here = {normalized(n): version for n, version, rest in locked if not ELSEWHERE.search(rest)}
    assert here == {normalized(name): version for name, version in pins}
