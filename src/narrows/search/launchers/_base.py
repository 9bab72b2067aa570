"""The contract of launchers, and what they share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

MAX_RESTARTS = 3  # of workers that die, since a trial has last finished


@runtime_checkable
class Launcher(Protocol):
    """A file in this folder."""

    def run(
        self,
        command: list[str],
        n_workers: int,
        threads: int,
        gpus: float,
        count: Callable[[], int],
    ) -> None:
        """Runs a Python command several times, side by side, until all have ended well; replaces
        those that die, and ends all when it is interrupted.

        Args:
            command: arguments of Python.
            threads: cores that a worker needs.
            gpus: share of a GPU that a worker needs.
            count: tells how many trials have finished.

        Raises:
            UserError: too many workers died.
        """


def end_processes(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Tells processes to end, and waits until they have."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()
