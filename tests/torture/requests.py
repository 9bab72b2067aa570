"""A client of `narrows serve` and `narrows ui` that does not keep to the rules."""

from __future__ import annotations

import concurrent.futures
import functools
import http.client
import json
import random
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from helpers import finished
from torture._base import Campaign, Lost, end_group, ended, python

N_REQUESTS, N_THREADS, SHARE_OF_ODD = 200, 8, 0.05
LONGEST = 20 * 2**20


@functools.cache
def champion() -> Path:
    """A project with a champion, made once."""
    folder = Path(tempfile.mkdtemp())
    finished.make(folder, "encode", "cluster", "deep_cluster", "seeds", "evaluate", "report")
    ended(python(folder, "-m", "narrows", "promote", "pca-kmeans", "--anyway"))
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def good(n_values: int) -> bytes:
    return json.dumps({"inputs": [[0.5] * n_values]}).encode()


def odd(draw: random.Random, n_values: int) -> tuple[bytes, dict[str, str]]:
    """A body and headers that no client should send."""
    kinds = {
        "no json": (b"{", {}),
        "nested": (b"[" * 100_000 + b"]" * 100_000, {}),
        "another type": (good(n_values), {"Content-Type": "text/plain"}),
        "too few values": (good(3), {}),
        "words": (json.dumps({"inputs": [["x"] * n_values]}).encode(), {}),
        "null": (b"null", {}),
        "huge": (b"[" + b"1," * (LONGEST // 2) + b"1]", {}),
        "another host": (good(n_values), {"Host": "evil.example"}),
        "binary": (draw.randbytes(500), {}),
    }
    return kinds[draw.choice(sorted(kinds))]


def ask(port: int, body: bytes, headers: dict[str, str]) -> tuple[int, float]:
    """Status of an answer and its seconds; 0 where the connection was closed instead."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        complete = {"Content-Type": "application/json", **headers}
        connection.request("POST", "/invocations", body, complete)
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
            raise Lost(f"serve ended: {''.join(process.communicate())[-500:]}")
        time.sleep(0.2)
    raise Lost("serve does not answer")


def attempt(draw: random.Random, folder: Path) -> int:
    """Two hundred requests by eight threads, a twentieth of them odd."""
    place, port, n_values = champion(), free_port(), 64
    server = python(place, "-m", "narrows", "serve", "--port", str(port))
    try:
        wait_for(port, server)
        chances = [draw.random() < SHARE_OF_ODD for _ in range(N_REQUESTS)]
        bodies = [odd(draw, n_values) if is_odd else (good(n_values), {}) for is_odd in chances]
        with concurrent.futures.ThreadPoolExecutor(N_THREADS) as pool:
            answers = list(pool.map(lambda parts: ask(port, *parts), bodies))
        check(answers, chances)
    finally:
        end_group(server)
    return N_REQUESTS


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


CAMPAIGN = Campaign("requests to narrows serve", attempt, n_sample=0)
