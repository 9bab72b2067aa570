"""A Python that begins at once, for the stages and commands of tests.

Half of what a test of the pipeline costs are imports: torch, Lightning and MLflow, seven seconds of
a core each time. A server imports them once; `python()` is a program that asks it for a fork of
itself, which then runs whatever it was called with, in the caller's folder and environment, with
its files open. Where a test kills processes, or looks at who is whose parent, it takes the real
Python.

A run of the whole suite has one server, whose forks its workers are, too: see `share`.
"""

import atexit
import contextlib
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

CLIENT, SERVER = (Path(__file__).with_name(f"{name}.py") for name in ("client", "server"))
SHARED = "NARROWS_TESTS_SERVER"
"""The variable with the number of the shared server's process and its program."""


def python() -> str:
    """Path of a program `python`, alone in its folder, which serves as long as this process lives.
    The real one where the system cannot say that a process has ended."""
    return _server()[1] if hasattr(os, "pidfd_open") else sys.executable


def share() -> str:
    """`python()` of this process and of all that it starts from now on."""
    program = python()
    if program != sys.executable:
        os.environ[SHARED] = " ".join(map(str, _server()))
    return program


def _server() -> tuple[int, str]:
    """Number of the server's process, and the program that asks it."""
    if SHARED in os.environ:
        pid, program = os.environ[SHARED].split(" ", 1)
        return int(pid), program
    server, path = _start()
    return server.pid, str(path)


@functools.cache
def _start() -> tuple[subprocess.Popen[bytes], Path]:
    """The server, once it can serve, and the program that asks it."""
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    program = folder / "python"
    program.write_text(f"#!{sys.executable} -IS\n" + CLIENT.read_text())
    program.chmod(0o755)
    command = [sys.executable, str(SERVER), str(folder / "socket"), str(program)]
    # It ends with its standard input, whose other end this process holds.
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    atexit.register(server.communicate)
    assert server.stdout is not None
    server.stdout.readline()
    return server, program


def workers(driver: subprocess.Popen[Any]) -> list[psutil.Process]:
    """Processes that the forkserver of a `python()` has forked; the oldest first."""
    process = psutil.Process(driver.pid)
    if python() == sys.executable:
        servers = [child for child in process.children() if "forkserver" in str(child.cmdline())]
    else:
        forks = psutil.Process(_server()[0]).children()
        servers = [fork for fork in forks if fork.pid != os.getpid()]  # which may be one, too
    folder, forked = process.cwd(), []
    for worker in (child for server in servers for child in _children(server)):
        with contextlib.suppress(psutil.NoSuchProcess):
            if worker.cwd() == folder:
                forked.append(worker)
    return sorted(forked, key=lambda worker: worker.create_time())


def _children(process: psutil.Process) -> list[psutil.Process]:
    """None where it has just ended, as forks of other tests do at any time."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return list(process.children())
    return []
