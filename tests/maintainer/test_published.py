"""README and docs show what is published in docs/results: `make results` writes it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import published

    return published


def test_tables_are_their_files() -> None:
    command = [sys.executable, str(ROOT / "benchmarks/published.py"), "--check"]
    assert subprocess.run(command).returncode == 0


def test_a_table_follows_its_file(published, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(published, "ROOT", tmp_path)
    monkeypatch.setattr(published, "PUBLISHED", tmp_path / "docs/results")
    (tmp_path / "docs/results/set").mkdir(parents=True)
    (tmp_path / "results/set/figures").mkdir(parents=True)
    (tmp_path / "results/set/figures/a.png").write_bytes(b"picture")
    (tmp_path / "results/set/figures/unused.png").write_bytes(b"picture")
    file = tmp_path / "results/set/t.csv"
    file.write_text("row,split,acc\nb,test,0.5\na,test,0.98765\na,train,1\nc,test,\n")
    comment = "<!-- docs/results/set/t.csv, split test: row acc -->\n"
    text = f"![A](docs/results/set/figures/a.png)\n\n{comment}"
    (tmp_path / "README.md").write_text(text + "| row | ACC |\n|---|--:|\n| `a` | .123 |\n")
    monkeypatch.setattr(sys, "argv", ["published.py"])
    published.main()
    assert (tmp_path / "README.md").read_text() == (
        text + "| row | ACC |\n|---|--:|\n| `a` | 0.988 |\n| `b` | 0.500 |\n| `c` |  |\n"
    )
    assert (tmp_path / "docs/results/set/t.csv").read_text() == file.read_text()
    assert [f.name for f in (tmp_path / "docs/results/set/figures").iterdir()] == ["a.png"]


def test_a_table_of_these_rows_gets_no_others(published, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(published, "ROOT", tmp_path)
    (tmp_path / "docs/results/set").mkdir(parents=True)
    (tmp_path / "docs/results/set/t.csv").write_text("row,acc\na,0.5\nb,0.25\nc,1\n")
    text = "<!-- docs/results/set/t.csv, these rows: row acc -->\n| row | ACC |\n|---|--:|\n"
    match = published.TABLE.search(text + "| `b` | .12 |\n| `gone` | .1 |\n")
    assert published.table(match) == text + "| `b` | 0.25 |\n"
