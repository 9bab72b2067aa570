"""A client of `narrows serve` and `narrows ui` that does not keep to the rules."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import functools
import gc
import http.client
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from helpers import finished
from torture._base import Campaign, Lost, ended, python

N_REQUESTS, N_THREADS, SHARE_OF_ODD = 1000, 8, 0.05
LONGEST = 100 * 10**6
N_TO_PAGE, SIDE = 200, 8
"""Requests to the page, and the side of a picture of digits."""
PROMOTE = """
from narrows.commands import promote

promote._require_current_seeds = lambda: None  # there is no DVC here
promote.main(["pca-kmeans", "--anyway"])
"""
PATHS = (
    "/",
    "/docs",
    "/get-artifact?run_uuid=../../..&path=../../../../etc/passwd",
    "/get-artifact?run_uuid=" + "0" * 32 + "&path=%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/static-files/../../../../etc/passwd",
    "/ajax-api/2.0/mlflow/experiments/search",
    "/ajax-api/2.0/mlflow/runs/get?run_id=%00",
    "/ajax-api/2.0/mlflow-artifacts/artifacts/../../../etc/passwd",
    "/graphql",
    "/" + "a" * 5000,
)


@functools.cache
def champion() -> Path:
    """A project with a champion, made once."""
    folder = Path(tempfile.mkdtemp())
    finished.make(folder, "encode", "cluster", "deep_cluster", "seeds", "evaluate", "report")
    ended(python(folder, "-c", PROMOTE))
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sample(value: object = 7, side: int = SIDE) -> bytes:
    """A request for one picture."""
    return json.dumps({"inputs": [[[[value] * side] * side]]}).encode()


@functools.cache
def huge() -> bytes:
    return b"[" + b"1," * (LONGEST // 2) + b"1]"


def odd(draw: random.Random) -> tuple[bytes, dict[str, str]]:
    """A body and headers that no client should send."""
    kinds = {
        "no json": (b"{", {}),
        "nested": (b"[" * 100_000 + b"]" * 100_000, {}),
        "another type": (sample(), {"Content-Type": "text/plain"}),
        "too few values": (sample(side=3), {}),
        "words": (sample("x"), {}),
        "null": (b"null", {}),
        "huge": (huge(), {}),
        "another host": (sample(), {"Host": "evil.example"}),
        "binary": (draw.randbytes(500), {}),
    }
    return kinds[draw.choice(sorted(kinds))]


def ask(
    port: int, body: bytes, headers: dict[str, str], path: str = "/invocations"
) -> tuple[int, float]:
    """Status of an answer and its seconds; 0 where the connection was closed instead."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        complete = {"Content-Type": "application/json", **headers}
        connection.request("POST" if body else "GET", path, body, complete)
        return connection.getresponse().status, time.monotonic() - began
    except (OSError, http.client.HTTPException):
        return 0, time.monotonic() - began
    finally:
        connection.close()


def wait_for(port: int, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            raise Lost(f"the server ended with {process.returncode}")
        time.sleep(0.2)
    raise Lost("the server does not answer")


@contextlib.contextmanager
def server(*words: str) -> Iterator[int]:
    """The port of a command that answers requests, as long as the block runs; raises `Lost` where
    it has ended before."""
    port = free_port()
    process = python(champion(), "-m", "narrows", *words, "--port", str(port))
    read_all(process)
    try:
        wait_for(port, process)
        yield port
        if process.poll() is not None:
            raise Lost(f"narrows {words[0]} has ended with {process.returncode}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read_all(process: subprocess.Popen[str]) -> None:
    """Reads what a server prints, which would wait with a full pipe."""
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        threading.Thread(target=collections.deque, args=(stream, 0), daemon=True).start()


def to_serve(draw: random.Random, folder: Path) -> int:
    """Requests by eight threads, a twentieth of them odd."""
    chances = [draw.random() < SHARE_OF_ODD for _ in range(N_REQUESTS)]
    bodies = [odd(draw) if is_odd else (sample(), {}) for is_odd in chances]
    gc.freeze()  # this process, too, would stop for a moment
    with server("serve") as port, concurrent.futures.ThreadPoolExecutor(N_THREADS) as pool:
        answers = list(pool.map(lambda parts: ask(port, *parts), bodies))
    gc.unfreeze()
    check(answers, chances)
    return N_REQUESTS


def to_page(draw: random.Random, folder: Path) -> int:
    """Requests to MLflow's page as nobody's browser sends them; it may answer 500 to what it cannot
    read, but goes on, and says nothing of other files or under another host's name."""
    with server("ui") as port, concurrent.futures.ThreadPoolExecutor(N_THREADS) as pool:
        requests = [(*odd(draw), draw.choice(PATHS)) for _ in range(N_TO_PAGE)]
        requests = [(draw.choice((body, b"")), *rest) for body, *rest in requests]
        list(pool.map(lambda parts: ask(port, *parts), requests))
        for path in PATHS:
            if b"root:" in content(port, path):
                raise Lost(f"{path} shows another file")
        if (status := ask(port, b"", {}, "/")[0]) != 200:
            raise Lost(f"the page answers {status} afterwards")
        evil = ask(port, b"{}", {"Host": "evil.example"}, "/ajax-api/2.0/mlflow/experiments/search")
        if evil[0] == 200:
            raise Lost("the page answers under another host's name")
    return N_TO_PAGE


def content(port: int, path: str) -> bytes:
    """What the page shows at a path; nothing where it closes the connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return b""
    finally:
        connection.close()


def check(answers: list[tuple[int, float]], chances: list[bool]) -> None:
    """Good requests are answered, odd ones are refused, and nobody waits for somebody else's."""
    if any(status >= 500 for status, _ in answers):
        raise Lost(f"{sum(status >= 500 for status, _ in answers)} answers of 500")
    orderly = [answer for answer, is_odd in zip(answers, chances, strict=True) if not is_odd]
    if refused := {status for status, _ in orderly} - {200}:
        raise Lost(f"good requests answered with {sorted(refused)}")
    seconds = [duration for _, duration in orderly]
    p50, p99 = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
    if p99 > 10 * p50:
        raise Lost(f"p99 {1000 * p99:.0f} ms, p50 {1000 * p50:.0f} ms")


CAMPAIGNS = (
    Campaign("requests to narrows serve", to_serve, n_sample=0),
    Campaign("requests to narrows ui", to_page, n_sample=0),
)
