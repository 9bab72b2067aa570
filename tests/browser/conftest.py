"""Chromium, found on PATH, and a small finished project with MLflow's page on its runs."""

import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from helpers.project import Project, row

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM is None:
        skip = pytest.mark.skip(reason="no chromium on PATH: apt-get install chromium")
        for item in items:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install '.[browser]'")
    with sync_api.sync_playwright() as playwright:
        options = {"executable_path": CHROMIUM, "args": ["--no-sandbox", "--disable-gpu"]}
        opened = playwright.chromium.launch(**options)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    other = {**row(epochs=2), "log_model": True}
    copy = Project(tmp_path_factory.mktemp("project"), {"narrow": row(), "other": other})
    copy.repro()
    return copy


@pytest.fixture(scope="session")
def addresses(project: Project) -> Iterator[list[str]]:
    """What `python -m narrows ui` prints, while it runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = project.start("-m", "narrows", "ui", "--port", str(port))
    assert server.stdout is not None
    lines = [server.stdout.readline() for _ in range(3)]
    # it logs each request, and stands still once a pipe is full that nobody reads
    reader = threading.Thread(target=server.stdout.read)
    reader.start()
    for _ in range(120):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
            break
        except OSError:
            assert server.poll() is None
            time.sleep(1)
    yield [address for line in lines for address in re.findall(r"http://\S+", line)]
    server.terminate()
    try:
        server.wait(timeout=30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    reader.join()
    server.stdout.close()
