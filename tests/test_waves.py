"""Rows of a stage that read what other rows of it leave, and rows that have helpers."""

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
    text = content + (reads.read_text() if reads else "")
    (attempt.folder / "text").write_text(text)


def help_compute(content: str, reads: Path | None, attempt: Attempt) -> None:
    if content != "a":
        raise UserError("there is no room")
    assert attempt.helps
    Path("helped").touch()


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


def test_a_row_waits_for_one_that_fails_and_others_do_not() -> None:
    members = [row("b", "b", "a"), row("a", "wrong"), row("d", "d", "c"), row("c", "c")]
    members.append(row("e", "wrong"))
    sentences = r"^rows\.a, rows\.e: it is wrong\nrows\.b: waits for a, which has failed$"
    with pytest.raises(UserError, match=sentences):
        runner.refresh("rows", HOME, members, preload=())
    assert {path.parent.name for path in HOME.rglob("text")} == {"c", "d"}


def test_a_row_that_is_computed_has_helpers_and_does_without_one_that_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is said of a helper of a row that has failed as well would say it twice."""
    members = [row("a", "a"), row("b", "b"), row("c", "wrong")]
    members = [
        replace(member, helpers=(replace(member.call, function="help_compute"),))
        for member in members
    ]
    with pytest.raises(UserError, match=r"^rows\.c: it is wrong$"):
        runner.refresh("rows", HOME, members, preload=())
    assert Path("helped").exists()
    assert {path.parent.name for path in HOME.rglob("text")} == {"a", "b"}
    said = capsys.readouterr().out
    assert said.count("a helper of rows.b has failed, which took longer without it: there is") == 1
    assert said.count("a helper of") == 1
    Path("helped").unlink()
    runner.refresh("rows", HOME, members[:2], preload=())
    assert not Path("helped").exists(), "both rows are current"
