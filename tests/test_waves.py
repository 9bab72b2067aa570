"""Rows of a stage that read what other rows of it leave."""

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
