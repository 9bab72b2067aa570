"""What launchers share. One has `run(command, n_workers, threads, gpus)`: it runs a Python command
several times, side by side, until all have ended, and ends them all when it is interrupted."""

import subprocess
from collections.abc import Sequence

MAX_RESTARTS = 3  # of workers that die


def ended(running: Sequence[subprocess.Popen[bytes]]) -> None:
    """Tells processes to end, and waits until they have."""
    for one in running:
        one.terminate()
    for one in running:
        one.wait()
