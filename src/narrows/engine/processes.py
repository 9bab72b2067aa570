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
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import Any, TypeVar

from narrows.engine._base import MAX_ATTEMPTS, Files, Outcome, Slot
from narrows.errors import UserError, exit_on_sigterm

R = TypeVar("R")
V = TypeVar("V")
N_STARTS = 10
KILLED = "the process that computed it was killed {} times; did it run out of memory?"


def each(
    task: Callable[[R], V],
    rows: Iterable[R],
    slot: Slot,
    files: Callable[[R], Files],
    preload: Sequence[str],
    n_at_once: int | None,
) -> Iterator[Outcome[R, V]]:
    """As `narrows.engine.each`."""
    workers = _workers(slot, preload, n_at_once)
    free, deaths = list(workers), Counter[int]()
    upcoming, again = enumerate(rows), deque[tuple[int, R]]()
    running: dict[Future[V], tuple[_Worker, int, R]] = {}
    try:
        while True:
            while free and (numbered := again.popleft() if again else next(upcoming, None)):
                worker, (i, row) = free.pop(), numbered
                running[worker.submit(task, row)] = worker, i, row
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                worker, i, row = running.pop(future)
                free.append(worker)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    worker.end()
                    deaths[i] += 1
                    if deaths[i] < MAX_ATTEMPTS:
                        again.append((i, row))
                        continue
                    error = UserError(KILLED.format(deaths[i]))
                yield Outcome(row, None if error else future.result(), error)
    except BaseException:  # a signal, or the caller has stopped to listen
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        for worker in workers:
            worker.end()


def _workers(slot: Slot, preload: Sequence[str], n_at_once: int | None) -> list[_Worker]:
    """A worker for every slot; the first is the last in the list."""
    gpus = visible_gpus() if slot.gpus else []
    n_workers = n_slots(slot, len(gpus), n_at_once)
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(slot.threads())  # libraries read it when they are imported
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["narrows.engine.preloading", *preload])
    return [
        _Worker(context, slot.threads(), share(gpus, slot, i)) for i in reversed(range(n_workers))
    ]


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
        self._start = functools.partial(ProcessPoolExecutor, 1, context, _begin, (threads, gpu))
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, task: Callable[[R], V], row: R) -> Future[V]:
        """Begins a row, in a new process where there is none yet or the last one has died; again,
        where the forkserver has just been killed: Python starts another one when it sees that,
        which takes a moment."""
        for _ in range(N_STARTS):
            try:
                self._pool = self._pool or self._start()
                return self._pool.submit(task, row)
            except (EOFError, ConnectionError, BrokenProcessPool):
                self.end()
                time.sleep(0.1)
        raise UserError("no process can be started on this machine")

    def end(self) -> None:
        """Waits for the end of its process, if it has one."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def n_slots(slot: Slot, n_gpus: int, n_at_once: int | None = None) -> int:
    """How many rows run at once: as many as there are cores for, and NARROWS_WORKERS is a bound;
    or `n_at_once`, whatever these are. GPUs are a bound of both.

    Raises:
        UserError: a row needs a GPU and this machine has none.
    """
    n = n_at_once or max(1, n_cores() // slot.threads())
    if slot.gpus:
        if n_gpus == 0:
            raise UserError("device is cuda, but there is no NVIDIA GPU on this machine")
        # a row that needs several GPUs occupies them alone
        n = min(n, math.floor(n_gpus / slot.gpus) or 1)
    bound = os.environ.get("NARROWS_WORKERS", "")
    if bound and not (bound.isdecimal() and int(bound)):
        raise UserError(f"NARROWS_WORKERS is {bound!r}; accepted are whole numbers from 1 on")
    return min(n, int(bound)) if bound and n_at_once is None else n


def n_cores() -> int:
    """Number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no such call
        return os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """Names of the NVIDIA GPUs that may be used, as CUDA_VISIBLE_DEVICES takes them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name]
    return [str(i) for i in range(_n_gpus())]


@functools.cache
def _n_gpus() -> int:
    """Number of NVIDIA GPUs of this machine; its driver is asked once, which takes a second."""
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return 0
    return sum(line.startswith("GPU") for line in listing.stdout.splitlines())


def _begin(threads: int, gpu: str | None) -> None:
    """Makes a process a worker: its GPU, its threads, and the end of it."""
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    if "torch" in sys.modules:  # the forkserver may have imported it under another number
        sys.modules["torch"].set_num_threads(threads)
    exit_on_sigterm()
    parent = multiprocessing.parent_process()
    assert parent is not None
    watch = threading.Thread(target=_end_with, args=(parent.sentinel, os.getppid()), daemon=True)
    watch.start()


def _end_with(driver: int, forkserver: int) -> None:
    """Ends this process within a second after its driver or the forkserver has ended."""
    while os.getppid() == forkserver and not connection.wait([driver], timeout=1):
        pass
    os._exit(1)
