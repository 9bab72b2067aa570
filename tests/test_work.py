"""Fingerprints, checkpoints' folders, locks and outputs that appear whole or not at all."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from narrows.errors import UserError
from narrows.store import work


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_fingerprint_tells_stage_row_params_and_data_apart() -> None:
    base = ("train", "deep", {"lr": 0.1, "epochs": 2}, "abc")
    assert work.fingerprint(*base) == work.fingerprint(
        "train", "deep", {"epochs": 2, "lr": 0.1}, "abc"
    )
    others = [("tune", *base[1:]), ("train", "flat", *base[2:]), (*base[:3], "abd")]
    others += [("train", "deep", {"lr": 0.2, "epochs": 2}, "abc")]
    assert len({work.fingerprint(*base), *(work.fingerprint(*other) for other in others)}) == 5


def test_checkpoints_of_other_code_are_not_found(tmp_path: Path) -> None:
    """Any file of the package counts, also one that is imported inside a function."""
    package = shutil.copytree(Path(work.__file__).parents[1], tmp_path / "src")
    ask = "from narrows.store import work; print(work.checkpoints('train', 'f00'))"

    def folder() -> str:
        command = [sys.executable, "-c", ask]
        env = os.environ | {"PYTHONPATH": str(package)}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

    before = folder()
    assert folder() == before
    with (package / "narrows/losses.py").open("a") as file:
        file.write("# edited\n")
    assert folder() != before


def test_digest_by_hand(tmp_path: Path) -> None:
    """sha256 over the two files' sha256, computed with sha256sum."""
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    assert work.digest(tmp_path / "a", tmp_path / "b").startswith("e5a01fee14e0ed5c")


def test_output_replaces_the_old_folder_only_at_the_end() -> None:
    folder = Path("artifacts/x")
    folder.mkdir(parents=True)
    (folder / "old").write_text("1")
    with work.output(folder) as partial:
        (partial / "new").write_text("2")
        assert [f.name for f in folder.iterdir()] == ["old"]
    assert [f.name for f in folder.iterdir()] == ["new"]


def test_a_failure_leaves_nothing_half_written() -> None:
    with pytest.raises(ZeroDivisionError), work.output(Path("artifacts/x")) as partial:
        (partial / "new").write_text(str(1 / 0))
    assert not Path("artifacts/x").exists()
    with work.output(Path("artifacts/x")) as partial:
        assert not list(partial.iterdir()), "leftovers of the failed attempt"


def test_two_processes_cannot_write_one_output() -> None:
    code = (
        "import sys; from pathlib import Path; from narrows.store import work\n"
        "with work.output(Path('artifacts/x')):\n"
        "    print('in', flush=True); sys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as other:  # type: ignore[call-overload]
        assert other.stdout.readline() == "in\n"
        told = rf"artifacts/x: another process \(pid {other.pid}\) is writing it"
        with pytest.raises(UserError, match=told), work.output(Path("artifacts/x")):
            pass
        other.kill()
    with work.output(Path("artifacts/x")):
        pass  # the lock died with its process
