"""A Python that begins at once, for the stages and commands of tests.

Half of what a test of the pipeline costs are imports: torch, Lightning and MLflow, seven seconds of
a core each time. A server imports them once; `python()` is a program that asks it for a fork of
itself, which then runs whatever it was called with, in the caller's folder and environment, with
its files open. Where a test kills processes, or looks at who is whose parent, it takes the real
Python.
"""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CLIENT, SERVER = (Path(__file__).with_name(f"{name}.py") for name in ("client", "server"))


@functools.cache
def python() -> str:
    """Path of a program `python`, alone in its folder, which serves as long as this process lives.
    The real one where the system cannot say that a process has ended."""
    if not hasattr(os, "pidfd_open"):
        return sys.executable
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    program = folder / "python"
    program.write_text(f"#!{sys.executable} -IS\n" + CLIENT.read_text())
    program.chmod(0o755)
    command = [sys.executable, str(SERVER), str(folder / "socket"), str(program)]
    # It ends when this process no longer holds the other end of its standard input.
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdout is not None
    server.stdout.readline()
    return str(program)
