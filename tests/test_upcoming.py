"""Rows of a stage that read what other rows of it leave, and rows that have helpers."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from narrows.errors import UserError
from narrows.stages import runner
from narrows.store.rows import Attempt, Call, Row

HOME = Path("artifacts/digits/rows")


def compute(content: str, reads: Path | None, attempt: Attempt) -> None:
    if content == "wrong":
        raise UserError("it is wrong")
    if content == "last":  # waits until another row is there that waits itself
        deadline = time.time() + 60
        while not (HOME / "b/text").exists() and time.time() < deadline:
            time.sleep(0.02)
        assert (HOME / "b/text").exists()
    if content == "helped":
        deadline = time.time() + 60
        while not Path("helped").exists() and time.time() < deadline:
            time.sleep(0.02)
        assert Path("helped").exists()
    text = content + (reads.read_text() if reads else "")
    (attempt.folder / "text").write_text(text)


def help_compute(what: str, _: Attempt) -> None:
    Path(what).touch()
    if what == "failed":
        raise UserError("there is no room")


def row(key: str, content: str, reads: str | None = None) -> Row:
    file = HOME / reads / "text" if reads else None
    call = Call(__name__, "compute", (content, file))
    return Row(f"rows.{key}", HOME / key, content, (file,) if file else (), call)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path(__file__).parent)  # where workers find this file
    monkeypatch.setattr("narrows.store.code.digest", lambda modules: "code")


def test_a_row_comes_after_those_whose_files_it_reads() -> None:
    runner.refresh("rows", HOME, [row("b", "b", "a"), row("a", "a")], preload=())
    assert (HOME / "b/text").read_text() == "ba"
    runner.refresh("rows", HOME, [row("b", "b", "a"), row("a", "new ")], preload=())
    assert (HOME / "b/text").read_text() == "bnew "


def test_a_row_does_not_wait_for_rows_that_it_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NARROWS_WORKERS", "2")
    members = [row("c", "last"), row("d", "d"), row("b", "b", "a"), row("a", "a")]
    runner.refresh("rows", HOME, members, preload=())
    assert {path.parent.name for path in HOME.rglob("text")} == {"a", "b", "c", "d"}


def test_a_row_stays_whose_teacher_comes_to_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    members = [row("b", "b", "a"), row("a", "a"), row("c", "c", "b")]
    runner.refresh("rows", HOME, members, preload=())
    (HOME / "a/text").unlink()
    (HOME / "c/text").unlink()
    runner.rows.finished.forget(members[1].fingerprint().digest())  # so that a is computed
    before = (HOME / "b/text").stat().st_mtime_ns
    capsys.readouterr()
    runner.refresh("rows", HOME, members, preload=())
    said = capsys.readouterr().out
    assert "rows.a done" in said
    assert "rows.b" not in said
    assert (HOME / "b/text").stat().st_mtime_ns == before
    assert (HOME / "c/text").read_text() == "cba"


def test_a_row_waits_for_one_that_fails_and_others_do_not() -> None:
    members = [row("b", "b", "a"), row("a", "wrong"), row("d", "d", "c"), row("c", "c")]
    members.append(row("e", "wrong"))
    sentences = r"^rows\.a, rows\.e: it is wrong\nrows\.b: waits for a, which has failed$"
    with pytest.raises(UserError, match=sentences):
        runner.refresh("rows", HOME, members, preload=())
    assert {path.parent.name for path in HOME.rglob("text")} == {"c", "d"}


def test_a_row_that_is_computed_has_helpers_and_does_without_one_that_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("narrows.engine.processes.n_cores", lambda: 2)
    monkeypatch.setenv("NARROWS_WORKERS", "2")
    calls = tuple(Call(__name__, "help_compute", (what,)) for what in ("failed", "helped"))
    members = [replace(row("a", "helped"), helpers=calls), row("b", "b")]
    runner.refresh("rows", HOME, members, preload=())
    assert Path("failed").exists()
    assert {path.parent.name for path in HOME.rglob("text")} == {"a", "b"}
    said = capsys.readouterr().out
    assert said.count("a helper of rows.a has failed, which took longer without it: there is") == 1
    for what in ("failed", "helped"):
        Path(what).unlink()
    runner.refresh("rows", HOME, members, preload=())
    assert not Path("failed").exists(), "both rows are current"
