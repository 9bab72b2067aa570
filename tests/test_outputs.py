"""Digests, locks and outputs that appear whole or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest

from narrows.errors import UserError
from narrows.store import digests, outputs


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_digest_by_hand(tmp_path: Path) -> None:
    """sha256 over the two files' sha256, computed with sha256sum."""
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    assert digests.digest(tmp_path / "a", tmp_path / "b").startswith("e5a01fee14e0ed5c")


def test_output_replaces_the_old_folder_only_at_the_end() -> None:
    folder = Path("artifacts/x")
    folder.mkdir(parents=True)
    (folder / "old").write_text("1")
    with outputs.output(folder) as partial:
        (partial / "new").write_text("2")
        assert [f.name for f in folder.iterdir()] == ["old"]
    assert [f.name for f in folder.iterdir()] == ["new"]


def test_a_failure_leaves_nothing_half_written() -> None:
    with pytest.raises(ZeroDivisionError), outputs.output(Path("artifacts/x")) as partial:
        (partial / "new").write_text(str(1 / 0))
    assert not list(Path("artifacts").iterdir())
    with outputs.output(Path("artifacts/x")) as partial:
        assert not list(partial.iterdir()), "leftovers of the failed attempt"


def test_two_processes_cannot_write_one_output() -> None:
    code = (
        "import sys; from pathlib import Path; from narrows.store import outputs\n"
        "with outputs.output(Path('artifacts/x')):\n"
        "    print('in', flush=True); sys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as other:  # type: ignore[call-overload]
        assert other.stdout.readline() == "in\n"
        message = rf"artifacts/x: another process \(pid {other.pid}\) is writing it"
        with pytest.raises(UserError, match=message), outputs.output(Path("artifacts/x")):
            pass
        other.kill()
    with outputs.output(Path("artifacts/x")):
        pass  # the lock died with its process
