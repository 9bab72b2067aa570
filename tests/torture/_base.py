"""What a campaign is: something that breaks the tool on purpose, and says whether it bore it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from helpers.stages import environment

T = TypeVar("T")
PATIENCE = 300  # seconds in which everything ends


class Lost(Exception):
    """Something was lost, wrong, stuck or in need of a hand; the message says what."""


@dataclass(frozen=True)
class Campaign:
    """Attempts of one kind."""

    name: str
    attempt: Callable[[random.Random, Path], int]
    """Takes a source of chance and an empty folder, and returns how many things it tried; raises
    `Lost`."""
    n_sample: int
    """How many attempts CI makes, of fixed seeds."""


def examples(
    strategy: SearchStrategy[T], check: Callable[[T], None], n: int, draw: random.Random
) -> int:
    """Checks examples of a strategy; the one of a `Lost` is made as small as Hypothesis can."""
    limits = settings(
        max_examples=n,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    tried = 0

    def counted(value: T) -> None:
        nonlocal tried
        tried += 1
        check(value)

    seed(draw.getrandbits(32))(limits(given(strategy)(counted)))()
    return tried


STAGES = """
from importlib import import_module
from narrows import errors

def main(*stages):
    for stage in stages:
        import_module(f"narrows.stages.{stage}").main()

errors.run(main)
"""


def python(folder: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    """`python ...` in a folder and a group of its own, not waited for."""
    pipe = subprocess.PIPE
    command = [sys.executable, *words]
    env = environment(folder) | variables
    return subprocess.Popen(
        command, cwd=folder, env=env, stdout=pipe, stderr=pipe, text=True, process_group=0
    )


def stages(folder: Path, *names: str, **variables: str) -> subprocess.Popen[str]:
    """Stages, one after the other in one process, not waited for."""
    return python(folder, "-c", STAGES, *names, **variables)


def output(process: subprocess.Popen[str], seconds: float = PATIENCE) -> str:
    """All that a process has printed until its end; raises `Lost` where that does not come."""
    try:
        return "".join(process.communicate(timeout=seconds))
    except subprocess.TimeoutExpired:
        end_group(process)
        raise Lost(f"still running after {seconds:.0f} s: {process.args!s:.200}") from None


def ended(process: subprocess.Popen[str]) -> str:
    """Output of a process that has ended well; raises `Lost` where it failed or never ends."""
    printed = output(process)
    if process.returncode:
        raise Lost(f"exit code {process.returncode}: {printed[-800:]}")
    return printed


def answered(process: subprocess.Popen[str], *codes: int) -> str:
    """Output of a process that has ended well, with a sentence, or with one of these exit codes."""
    printed = output(process)
    if "Traceback" in printed or process.returncode not in (0, 1, *codes):
        raise Lost(f"exit code {process.returncode}: {printed[-1500:]}")
    return printed


def end_group(process: subprocess.Popen[str]) -> None:
    """Ends what an attempt has started and what is below it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def family(pid: int) -> list[psutil.Process]:
    """A process and all below it that are still there."""
    with contextlib.suppress(psutil.NoSuchProcess):
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    return []


def inhabitants(folder: Path) -> Iterator[psutil.Process]:
    """Processes whose working folder is this one or lies in it."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder):
                yield process


def wait_until_empty(folder: Path, seconds: float = 30) -> None:
    """Raises `Lost` where something that worked in the folder outlives its parent."""
    deadline = time.monotonic() + seconds
    while left := list(inhabitants(folder)):
        if time.monotonic() > deadline:
            for process in left:
                process.kill()
            raise Lost(f"left over: {[' '.join(p.cmdline())[:100] for p in left]}")
        time.sleep(0.1)


def digest(folder: Path, *patterns: str) -> str:
    """SHA-256 of the names and contents of files below a folder."""
    whole = hashlib.sha256()
    for file in sorted({file for pattern in patterns for file in folder.rglob(pattern)}):
        whole.update(str(file.relative_to(folder)).encode())
        whole.update(file.read_bytes())
    return whole.hexdigest()
