"""`narrows ui` and `narrows serve` wait for a server and end with it, quietly."""

import contextlib
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

SERVER = """
import pathlib, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
def end(*_):
    child.wait()
    pathlib.Path("in-order").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
pathlib.Path("child").write_text(str(child.pid))
pathlib.Path("child").rename("ready")
time.sleep(60)
"""
COMMAND = """
import sys
from narrows import errors
from narrows.commands import _base
errors.run(lambda server: sys.exit(_base.serve([sys.executable, "-c", server], {})))
"""


def wait_for(file: Path) -> None:
    for _ in range(600):
        if file.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{file} does not appear")


@pytest.mark.parametrize(
    ("how", "code"), [("ctrl-c", 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_server_ends_in_order_and_says_nothing(
    how: signal.Signals | str, code: int, tmp_path: Path
) -> None:
    own, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, SERVER],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # its terminal sends the signal
    )
    os.close(theirs)
    wait_for(tmp_path / "ready")
    if isinstance(how, str):
        os.write(own, b"\x03")
    else:
        process.send_signal(how)
    assert process.wait(30) == code
    assert (tmp_path / "in-order").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "ready").read_text()), 0)
    assert written(own) in ("^C", "")


def written(terminal: int) -> str:
    """All that was written on a terminal that nobody has open any more."""
    content = b""
    with contextlib.suppress(OSError):  # Linux's end of it
        while part := os.read(terminal, 4096):
            content += part
    os.close(terminal)
    return content.decode()
