"""A Ray of two nodes that share no folder.

Each node has a HOME and a temporary folder of its own, as machines have.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

HEAD = "127.0.0.2"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind((HEAD, 0))
        return int(listening.getsockname()[1])


PORT = free_port()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """Homes of two nodes with a core each."""
    homes = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    where = [
        ["--head", f"--port={PORT}", "--include-dashboard=false", f"--node-ip-address={HEAD}"],
        [f"--address={HEAD}:{PORT}", "--node-ip-address=127.0.0.3"],
    ]
    try:
        for home, words in zip(homes, where, strict=True):
            env = {**os.environ, "HOME": str(home), "TMPDIR": str(home)}
            env.pop("PYTHONPATH", None)
            command = [str(Path(sys.executable).parent / "ray"), "start", *words, "--num-cpus=1"]
            command += ["--disable-usage-stats"]
            subprocess.run(command, cwd=home, env=env, check=True, capture_output=True)
        yield homes
    finally:
        stop(homes)


def stop(homes: list[Path]) -> None:
    """Ends what was started with these homes, and nothing else."""
    names = [str(home) for home in homes]
    for process in psutil.process_iter():
        try:
            words = [process.environ().get("HOME", ""), *process.cmdline()]
            if any(name in word for name in names for word in words):
                process.kill()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
