"""Workers as tasks of a Ray cluster, or of a Ray that is started for them on this machine.

Each task runs the very command that one types on a machine of one's own, in a folder of the same
path, with the GPUs that Ray gives it; RAY_ADDRESS names the cluster.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from narrows.errors import UserError
from narrows.search.launchers._base import MAX_RESTARTS, end_processes

ADDRESS = "RAY_ADDRESS"


def run(
    command: list[str], n_workers: int, threads: int, gpus: float, count: Callable[[], int]
) -> None:
    """Runs a Python command n times until all have ended well; Ray replaces those that die.

    Args:
        threads: cores that Ray reserves for a worker.
        gpus: share of a GPU that Ray reserves for a worker.
        count: not asked, because Ray counts how often each worker died.

    Raises:
        UserError: Ray is not installed or not reached, has no room for a worker, or workers fail.
    """
    try:
        import ray
    except ImportError:
        raise UserError("--launcher ray needs Ray: pip install 'narrows[ray]'") from None
    address = os.environ.get(ADDRESS)
    alone: dict[str, Any] = {
        "address": "local",
        "_node_ip_address": "127.0.0.1",
        "include_dashboard": False,
    }
    try:
        ray.init(**({} if address else alone), logging_level=logging.WARNING)
    except ConnectionError as error:
        raise UserError(f"{ADDRESS} is {address!r}: {str(error).splitlines()[0]}") from None
    try:
        room = ray.cluster_resources()
        for kind, amount in (("CPU", threads), ("GPU", gpus)):
            if amount > room.get(kind, 0):
                need = f"a worker needs {amount:g} {kind}, the cluster has {room.get(kind, 0):g}"
                raise UserError(f"--launcher ray: {need}")
        task = ray.remote(
            num_cpus=threads, num_gpus=gpus, max_retries=MAX_RESTARTS, retry_exceptions=True
        )(_work)
        env = {name: value for name, value in os.environ.items() if name.startswith("NARROWS_")}
        env |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        results = [task.remote(command, str(Path.cwd()), env) for _ in range(n_workers)]
        try:
            ray.get(results)
        except ray.exceptions.RayError as error:
            last_line = str(error).strip().splitlines()[-1]
            raise UserError(f"workers ended with errors, which stand above: {last_line}") from None
        finally:
            for result in ray.wait(results, num_returns=len(results), timeout=0)[1]:
                ray.cancel(result)
    finally:
        ray.shutdown()


def _work(command: list[str], folder: str, env: dict[str, str]) -> None:
    process = subprocess.Popen([sys.executable, *command], cwd=folder, env=os.environ | env)
    try:
        if process.wait():
            raise RuntimeError(f"a worker ended with {process.returncode}")
    finally:
        end_processes([process])
