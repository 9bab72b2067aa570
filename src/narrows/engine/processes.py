"""Rows in processes of this machine: as many as it has slots, one thread each by default.

Workers are forked from a process that has imported the heavy libraries (multiprocessing's
forkserver), so that a worker begins at once. Each of them ends with the process that drives it and
with the forkserver, whichever way these end: nothing goes on unseen.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import Any, TypeVar

from narrows.engine._base import MAX_ATTEMPTS, Files, Outcome, Slot
from narrows.errors import UserError

R = TypeVar("R")
V = TypeVar("V")


def each(
    task: Callable[[R], V],
    rows: Sequence[R],
    slot: Slot,
    files: Callable[[R], Files],
    preload: Sequence[str],
) -> Iterator[Outcome[R, V]]:
    """As `narrows.engine.each`."""
    gpus = visible_gpus() if slot.gpus else []
    n_workers = min(n_slots(slot, len(gpus)), len(rows))
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(slot.threads())  # libraries read it when they are imported
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["narrows.engine.preloading", *preload])
    waiting, deaths = dict(enumerate(rows)), Counter[int]()
    while waiting:
        suspects = [i for i in waiting if deaths[i] >= MAX_ATTEMPTS - 1]
        batch = {suspects[0]: waiting[suspects[0]]} if suspects else dict(waiting)
        for i, outcome in _run(task, batch, n_workers, slot, gpus, context):
            if not isinstance(outcome.error, BrokenProcessPool):
                del waiting[i]
                yield outcome
        for i in [i for i in batch if i in waiting][:n_workers]:  # those that ran, in their order
            deaths[i] += 1
            if deaths[i] >= MAX_ATTEMPTS:
                error = UserError(
                    f"the process that computed it was killed {deaths[i]} times; did it run out of "
                    "memory?"
                )
                yield Outcome(waiting.pop(i), error=error)


def _run(
    task: Callable[[R], V],
    batch: dict[int, R],
    n_workers: int,
    slot: Slot,
    gpus: Sequence[str],
    context: Any,
) -> Iterator[tuple[int, Outcome[R, V]]]:
    """Outcomes by number until the batch is done or a worker has died."""
    shares = context.SimpleQueue()
    for i in range(n_workers):
        shares.put(gpus[i * len(gpus) // n_workers] if gpus else None)
    pool = ProcessPoolExecutor(n_workers, context, _begin, (shares, slot.threads()))
    try:
        futures: dict[Future[V], int] = {pool.submit(task, row): i for i, row in batch.items()}
        for future in as_completed(futures):
            i = futures[future]
            error = future.exception()
            if error is None:
                yield i, Outcome(batch[i], future.result())
            else:
                yield i, Outcome(batch[i], error=error)
    except BaseException:  # a signal, or the caller has stopped to listen
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


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


def _begin(shares: Any, threads: int) -> None:
    """Makes a process a worker: its GPU, its threads, and the end of it."""
    if (gpu := shares.get()) is not None:
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
