"""Rows in processes of this machine: as many as it has slots, one thread each by default.

Workers are forked from a process that has imported the heavy libraries (multiprocessing's
forkserver), so that a worker begins at once. Each of them ends with the process that drives it and
with the forkserver, whichever way these end: nothing goes on unseen.
"""

from __future__ import annotations

import functools
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import Any, TypeVar

from narrows.engine._base import MAX_ATTEMPTS, Files, Outcome, Slot
from narrows.errors import UserError

R = TypeVar("R")
V = TypeVar("V")
N_STARTS = 10
KILLED = "the process that computed it was killed {} times; did it run out of memory?"


def each(
    task: Callable[[R], V],
    rows: Sequence[R],
    slot: Slot,
    files: Callable[[R], Files],
    preload: Sequence[str],
) -> Iterator[Outcome[R, V]]:
    """As `narrows.engine.each`."""
    workers = _workers(slot, len(rows), preload)
    free, waiting, deaths = list(workers), deque(range(len(rows))), Counter[int]()
    running: dict[Future[V], tuple[_Worker, int]] = {}
    try:
        while waiting or running:
            while waiting and free:
                worker, i = free.pop(), waiting.popleft()
                running[worker.submit(task, rows[i])] = worker, i
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                worker, i = running.pop(future)
                free.append(worker)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    worker.renew()
                    deaths[i] += 1
                    if deaths[i] < MAX_ATTEMPTS:
                        waiting.appendleft(i)
                        continue
                    error = UserError(KILLED.format(deaths[i]))
                yield Outcome(rows[i], None if error else future.result(), error)
    except BaseException:  # a signal, or the caller has stopped to listen
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        for worker in workers:
            worker.pool.shutdown(cancel_futures=True)


def _workers(slot: Slot, n_rows: int, preload: Sequence[str]) -> list[_Worker]:
    """As many workers as there are slots, or rows if these are fewer."""
    gpus = visible_gpus() if slot.gpus else []
    n_workers = min(n_slots(slot, len(gpus)), n_rows)
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(slot.threads())  # libraries read it when they are imported
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["narrows.engine.preloading", *preload])
    return [_Worker(context, slot.threads(), share(gpus, slot, i)) for i in range(n_workers)]


def share(gpus: Sequence[str], slot: Slot, i: int) -> str | None:
    """The GPUs of the i-th slot, as CUDA_VISIBLE_DEVICES takes them; None where it needs none.

    >>> share(["0", "1"], Slot(gpus=0.5), 3), share(["0", "1", "2", "3"], Slot(gpus=2.0), 1)
    ('1', '2,3')
    """
    if not gpus:
        return None
    if slot.gpus < 1:
        return gpus[math.floor(i * slot.gpus) % len(gpus)]
    n = math.ceil(slot.gpus)
    return ",".join(gpus[i * n : (i + 1) * n] or gpus)


class _Worker:
    """A process that computes rows one after the other; a pool of one, so that a death breaks
    nothing but its own row."""

    def __init__(self, context: Any, threads: int, gpu: str | None):
        self.start = functools.partial(ProcessPoolExecutor, 1, context, _begin, (threads, gpu))
        self.pool = self.start()

    def submit(self, task: Callable[[R], V], row: R) -> Future[V]:
        """Begins a row; again, where the forkserver has just been killed: Python starts another one
        when it sees that, which takes a moment."""
        for n_left in reversed(range(N_STARTS)):
            try:
                return self.pool.submit(task, row)
            except (EOFError, ConnectionError, BrokenProcessPool):
                if n_left == 0:
                    raise UserError("no process can be started on this machine") from None
            time.sleep(0.1)
            self.renew()
        raise AssertionError

    def renew(self) -> None:
        """Replaces a process that has died."""
        self.pool.shutdown(cancel_futures=True)
        self.pool = self.start()


def n_slots(slot: Slot, n_gpus: int) -> int:
    """How many rows run at once; NARROWS_WORKERS is a bound.

    Raises:
        UserError: a row needs a GPU and this machine has none.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    n = max(1, (cores or 1) // slot.threads())
    if slot.gpus:
        if n_gpus == 0:
            raise UserError("device is cuda, but there is no NVIDIA GPU on this machine")
        # a row that needs several GPUs occupies them alone
        n = min(n, math.floor(n_gpus / slot.gpus) or 1)
    bound = os.environ.get("NARROWS_WORKERS", "")
    if bound and not (bound.isdecimal() and int(bound)):
        raise UserError(f"NARROWS_WORKERS is {bound!r}; accepted are whole numbers from 1 on")
    return min(n, int(bound)) if bound else n


def visible_gpus() -> list[str]:
    """Names of the NVIDIA GPUs that may be used, as CUDA_VISIBLE_DEVICES takes them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name]
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return [str(i) for i, line in enumerate(listing.stdout.splitlines()) if line.startswith("GPU")]


def _begin(threads: int, gpu: str | None) -> None:
    """Makes a process a worker: its GPU, its threads, and the end of it."""
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    if "torch" in sys.modules:  # the forkserver may have imported it under another number
        sys.modules["torch"].set_num_threads(threads)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` blocks run
    parent = multiprocessing.parent_process()
    assert parent is not None
    watch = threading.Thread(target=_end_with, args=(parent.sentinel, os.getppid()), daemon=True)
    watch.start()


def _end_with(driver: int, forkserver: int) -> None:
    """Ends this process within a second after its driver or the forkserver has ended."""
    while os.getppid() == forkserver and not connection.wait([driver], timeout=1):
        pass
    os._exit(1)
