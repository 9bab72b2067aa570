"""Rows on disk by hand: when one is current, comes back, or goes."""

import json
import os
import time
from pathlib import Path

import pytest

from narrows.errors import UserError
from narrows.store import finished, outputs, rows
from narrows.store.rows import Call, Row, StoredRow

HOME = Path("artifacts/digits/encoders")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.npy").write_text("samples")


def row(key: str = "deep", **settings: int) -> Row:
    call = Call("narrows.stages.baseline", "fit", ())
    return Row(f"baselines.{key}", HOME / key, settings, (Path("x.npy"),), call)


def compute(single: Row, content: str = "codes") -> None:
    fingerprint = single.fingerprint()
    attempt = rows.attempt(single, fingerprint)
    (attempt.folder / "codes.npy").write_text(content)
    rows.finish(attempt, fingerprint)
    finished.bound()


def is_current(single: Row) -> bool:
    return rows.is_current(single, single.fingerprint())


def test_a_row_is_current_until_its_values_its_files_or_what_it_reads_change() -> None:
    assert not is_current(row(seed=0))
    compute(row(seed=0))
    assert is_current(row(seed=0))
    assert not is_current(row(seed=1))
    Path("x.npy").write_text("other samples")
    assert not is_current(row(seed=0))
    Path("x.npy").write_text("samples")
    assert is_current(row(seed=0))
    (HOME / "deep/codes.npy").write_text("cut")
    assert not is_current(row(seed=0))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"fingerprint": 3, "files": []}'])
def test_a_damaged_record_counts_as_none(text: str) -> None:
    compute(row())
    (HOME / "deep/row.json").write_text(text)
    assert not is_current(row())
    with pytest.raises(UserError, match=r"row\.json is missing or damaged; run `dvc repro`"):
        _ = StoredRow(HOME / "deep").identity


def test_an_identity_does_not_know_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    before = row().fingerprint()
    monkeypatch.setattr("narrows.store.code.digest", lambda modules: "edited")
    after = row().fingerprint()
    assert before.identity() == after.identity()
    assert before.digest() != after.digest()


def test_a_row_that_was_computed_before_comes_back() -> None:
    compute(row(seed=0), "codes of 0")
    compute(row(seed=1), "codes of 1")
    assert rows.restore(row(seed=0), row(seed=0).fingerprint())
    assert (HOME / "deep/codes.npy").read_text() == "codes of 0"
    assert is_current(row(seed=0))
    assert not rows.restore(row(seed=2), row(seed=2).fingerprint())
    assert is_current(row(seed=0)), "what is there stays where nothing comes back"


def test_what_somebody_wrote_into_a_file_does_not_come_back() -> None:
    """The store holds links, so it has the change, too."""
    compute(row())
    with (HOME / "deep/codes.npy").open("a") as stream:
        stream.write("!")
    assert not rows.restore(row(), row().fingerprint())


def test_the_oldest_finished_rows_go(monkeypatch: pytest.MonkeyPatch) -> None:
    compute(row(seed=0), "x" * 1000)
    size = sum(f.stat().st_size for f in finished.FINISHED.rglob("*") if f.is_file())
    monkeypatch.setenv("NARROWS_FINISHED_BYTES", str(int(2.5 * size)))
    for seed in (1, 2):
        compute(row(seed=seed), "x" * 1000)
    known = [rows.restore(row(seed=s), row(seed=s).fingerprint()) for s in (0, 1, 2)]
    assert known == [False, True, True]
    monkeypatch.setenv("NARROWS_FINISHED_BYTES", "0")
    compute(row(seed=3))
    assert not rows.restore(row(seed=3), row(seed=3).fingerprint())
    monkeypatch.setenv("NARROWS_FINISHED_BYTES", "10 GB")
    with pytest.raises(UserError, match=r"is '10 GB'; accepted are whole numbers from 0 on$"):
        compute(row(seed=4))


def test_the_oldest_checkpoints_that_nobody_goes_on_with_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of four that are of 1,000 bytes each, three are old; there is room for one of these."""
    monkeypatch.setenv("NARROWS_FINISHED_BYTES", "1500")
    for days, name in enumerate(("running", "a", "b", "c")):
        file = rows.CHECKPOINTS / name / "layer-1/last.ckpt"
        file.parent.mkdir(parents=True)
        file.write_text("x" * 1000)
        when = time.time() - days * 100_000
        for path in (file, file.parent, file.parents[1]):
            os.utime(path, (when, when))
    rows.drop_stale()
    assert sorted(path.name for path in rows.CHECKPOINTS.iterdir()) == ["a", "running"]


def test_where_links_are_not_possible_files_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    compute(row(seed=0))
    compute(row(seed=1))
    assert rows.restore(row(seed=0), row(seed=0).fingerprint())


def test_folders_of_no_row_and_of_killed_attempts_go() -> None:
    compute(row("deep"))
    compute(row("gone"))
    rows.attempt(row("deep"), row("deep").fingerprint())  # and its process is killed
    (HOME / "rows.json").write_text("{}")
    rows.keep_only(HOME, [row("deep")])
    assert sorted(path.name for path in HOME.iterdir()) == ["deep", "rows.json"]


def test_rows_may_lie_in_folders_of_folders() -> None:
    inner = Row("seeds.1.a", HOME / "1/a", {}, (), row().call)
    compute(inner)
    compute(Row("seeds.2.a", HOME / "2/a", {}, (), row().call))
    rows.keep_only(HOME, [inner])
    assert sorted(path.as_posix() for path in HOME.rglob("row.json")) == [f"{HOME}/1/a/row.json"]


def test_the_index_names_every_file_of_every_row() -> None:
    compute(row("deep"))
    rows.write_index(HOME, [row("deep"), row("failed")])
    index = json.loads((HOME / "rows.json").read_text())
    assert list(index) == ["deep"]
    assert list(index["deep"]) == ["codes.npy"]
    text = (HOME / "rows.json").read_text()
    rows.write_index(HOME, [row("deep")])
    assert (HOME / "rows.json").read_text() == text


def test_a_missing_file_is_said() -> None:
    Path("x.npy").unlink()
    with pytest.raises(UserError, match=r"^x\.npy is missing; run `dvc repro`$"):
        row().fingerprint()


def test_two_processes_do_not_write_one_folder() -> None:
    with outputs.hold(HOME):
        pass
    with (
        outputs.hold(HOME),
        pytest.raises(UserError, match=f"pid {os.getpid()}"),
        outputs.hold(HOME),
    ):
        pass
