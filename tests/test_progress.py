"""What takes long says how far it is: a bar on a terminal, lines elsewhere."""

import os
import pty
import re
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import narrows as nw
from narrows.rendering import progress

PATIENCE = 0.05
ON_A_TERMINAL = """
import multiprocessing, time, tqdm
from narrows.errors import say
from narrows.rendering import progress
progress.PATIENCE, progress.REDRAWN = 0.05, 0.02
{}
with progress.watch("fit"), progress.part("epochs", 10) as part:
    part.n = 3.5
    time.sleep(0.3)
    say("a line")
    time.sleep(0.1)
print("the end")
"""


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for but a twentieth of a second."""
    monkeypatch.setattr(progress, "PATIENCE", PATIENCE)


@pytest.fixture
def frequent(hasty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines come at the same pace all the time."""
    monkeypatch.setattr(progress, "LONGEST", PATIENCE)


def on_a_terminal(more: str = "") -> str:
    """All that a program writes that is called by hand."""
    own, theirs = pty.openpty()
    script = ON_A_TERMINAL.format(more)
    with subprocess.Popen([sys.executable, "-c", script], stdout=theirs, stderr=theirs):
        os.close(theirs)
        content = b""
        try:
            while part := os.read(own, 4096):
                content += part
        except OSError:  # Linux's way to say that nobody writes any more
            pass
    os.close(own)
    return content.decode()


def test_lines_come_whenever_it_takes_twice_as_long(
    hasty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress.watch("encode"), progress.part("epochs", 1000) as part:
        part.n = 12.5
        time.sleep(10 * PATIENCE)
    lines = capsys.readouterr().err.splitlines()
    assert all(re.fullmatch(r"encode, epochs 12 of 1,000, \d+ s", line) for line in lines)
    assert 1 <= len(lines) <= 4  # at 1, 2, 4 and 8 times the patience, on a machine with time


def test_what_is_over_soon_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.watch("encode"):
        pass
    assert capsys.readouterr() == ("", "")


def test_a_part_without_a_watch_and_another_thread_say_nothing(
    hasty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(progress.counted("rows", "abc", 3)) == ["a", "b", "c"]

    def elsewhere() -> None:
        with progress.part("of another thread"):
            time.sleep(4 * PATIENCE)

    with progress.watch("encode"):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert "another" not in capsys.readouterr().err


def test_a_watch_within_another_is_a_part_of_it(
    hasty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress.watch("tune"), progress.watch("trial 3"):
        for _ in progress.counted("rows", "ab", 2):
            time.sleep(3 * PATIENCE)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "tune, trial 3, rows 0 of 2, 0 s"
    assert lines[-1] == "tune, trial 3, rows 1 of 2, 0 s"


def test_what_writes_its_own_lines_has_none(
    hasty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress.watch("encode", has_lines=False):
        time.sleep(3 * PATIENCE)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_a_bar_that_lines_take_the_place_of() -> None:
    written = on_a_terminal()
    assert "\rfit, epochs 3 of 10  35%|███" in written
    assert "\r\033[Ka line\r\n\rfit, epochs 3 of 10" in written
    assert written.endswith(" \rthe end\r\n"), "the bar is wiped out"


def test_a_worker_on_a_terminal_writes_lines() -> None:
    written = on_a_terminal("multiprocessing.parent_process = lambda: multiprocessing")
    assert "\r\033[Kfit, epochs 3 of 10, 0 s\r\n" in written
    assert "%" not in written


def test_a_training_counts_its_epochs(frequent: None, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).random((200, 3), np.float32)
    nw.fit({"network": "mlp", "code_size": 2}, x, epochs=30)
    assert "fit, epochs " in (err := capsys.readouterr().err)
    assert " of 30, " in err


def test_a_refinement_counts_its_updates(
    frequent: None, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.random.default_rng(0).random((200, 3), np.float32)
    fitted = nw.fit({"network": "mlp", "code_size": 2}, x, epochs=1)
    capsys.readouterr()
    nw.refine({"name": "dec", "max_updates": 3, "tolerance": 0.0}, fitted, x, n_clusters=3)
    assert "refine, updates " in (err := capsys.readouterr().err)
    assert " of 3, " in err
