"""Workers as processes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from narrows.errors import UserError
from narrows.search.launchers._base import MAX_RESTARTS, ended


def run(command: list[str], n_workers: int, threads: int, gpus: float) -> None:
    """Runs a Python command n times until all have ended well; replaces those that die."""
    env = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}

    def started() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, *command], env=env)

    running, restarts = [started() for _ in range(n_workers)], 0
    try:
        while running:
            time.sleep(0.2)
            for one in [one for one in running if one.poll() is not None]:
                running.remove(one)
                if one.returncode == 0:
                    continue
                restarts += 1
                if restarts > MAX_RESTARTS:
                    raise UserError(f"{restarts} workers ended with errors, which stand above")
                print(f"search: a worker ended with {one.returncode}, another begins", flush=True)
                running.append(started())
    finally:
        ended(running)
