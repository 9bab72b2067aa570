"""Workers as processes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

from narrows.errors import UserError
from narrows.search.launchers._base import MAX_RESTARTS, end_processes


def run(
    command: list[str], n_workers: int, threads: int, gpus: float, count: Callable[[], int]
) -> None:
    """Runs a Python command n times until all have ended well; replaces those that die."""
    env = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, *command], env=env)

    processes = [start() for _ in range(n_workers)]
    n_restarts, n_finished = 0, count()
    try:
        while processes:
            time.sleep(0.2)
            for process in [p for p in processes if p.poll() is not None]:
                processes.remove(process)
                if process.returncode == 0:
                    continue
                before, n_finished = n_finished, count()
                n_restarts = 1 if n_finished > before else n_restarts + 1
                if n_restarts > MAX_RESTARTS:
                    raise UserError(f"{n_restarts} workers ended with errors, which stand above")
                ended = f"a worker ended with {process.returncode}"
                print(f"search: {ended}, another begins", flush=True)
                processes.append(start())
    finally:
        end_processes(processes)
