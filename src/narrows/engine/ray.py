"""Rows as tasks of a Ray cluster, which RAY_ADDRESS names, or of a Ray started for them here.

No shared folder is needed: what a row reads travels through Ray's object store, and the folder that
it leaves comes back the same way; the package travels, too. Workers have the driver's environment,
but for what belongs to a machine (`OWN`). A row whose node dies is begun again on another.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from narrows.engine._base import MAX_ATTEMPTS, REMOTE, Files, Outcome, Slot
from narrows.errors import UserError
from narrows.store.digests import digest_of
from narrows.store.files import atomic_write

R = TypeVar("R")
V = TypeVar("V")
_Input = tuple[str, str, list[Any]]  # name, SHA-256, and the reference of the content
ADDRESS = "RAY_ADDRESS"
OWN = frozenset(
    "CUDA_VISIBLE_DEVICES HOME HOSTNAME LD_LIBRARY_PATH LOGNAME OLDPWD PATH PWD PYTHONHOME "
    "PYTHONPATH SHELL SHLVL TEMP TERM TMP TMPDIR USER VIRTUAL_ENV XDG_CACHE_HOME _".split()
)
"""Variables that are a machine's own and do not travel, nor do Ray's (RAY_...) and Slurm's."""
PATIENCE = 10.0
"""Seconds in which a cluster has to answer."""


def each(
    task: Callable[[R], V],
    rows: Iterable[R],
    slot: Slot,
    files: Callable[[R], Files],
    preload: Sequence[str],
    n_at_once: int | None,
) -> Iterator[Outcome[R, V]]:
    """As `narrows.engine.each`."""
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # lines of rows and trials look alike
    try:
        import ray
    except ImportError:
        raise UserError("NARROWS_ENGINE is ray: pip install 'narrows[ray]'") from None
    _connect(ray, slot)
    try:
        remote: Any = ray.remote(
            num_cpus=slot.threads(),
            num_gpus=slot.gpus,
            max_retries=MAX_ATTEMPTS - 1,
            runtime_env={"env_vars": environment(dict(os.environ), slot.threads())},
        )(_work)
        stored: dict[Path, _Input] = {}  # a file that many rows read is stored once
        running: dict[Any, R] = {}
        upcoming = iter(rows)

        def submit(n: int | None) -> None:
            for row in islice(upcoming, n):
                needs = files(row)
                for path in needs.reads:
                    if path not in stored:
                        content = ray.put(path.read_bytes())
                        stored[path] = path.as_posix(), digest_of(path), [content]
                inputs = [stored[path] for path in needs.reads]
                running[remote.remote(task, row, project, inputs, needs.writes)] = row

        project = hashlib.sha256(os.fsencode(Path.cwd())).hexdigest()[:16]
        submit(n_at_once)
        try:
            while running:
                (reference, *_), _ = ray.wait(list(running), num_returns=1)
                row = running.pop(reference)
                yield _outcome(ray, reference, row, files(row))
                submit(n_at_once and 1)
        finally:
            for reference in running:
                ray.cancel(reference)
    finally:
        ray.shutdown()


def environment(variables: dict[str, str], threads: int) -> dict[str, str]:
    """The driver's environment as it travels: credentials and settings, nothing of the machine.

    >>> environment({"HOME": "/root", "MLFLOW_TRACKING_URI": "http://x", "RAY_ADDRESS": "y"}, 1)
    {'MLFLOW_TRACKING_URI': 'http://x', 'OMP_NUM_THREADS': '1', 'NARROWS_REMOTE': '1'}
    """
    prefixes = ("RAY_", "SLURM_", "CONDA", "SSH_", "XDG_", "LC_", "DBUS_")
    travelling = {
        name: value
        for name, value in variables.items()
        if name not in OWN and not name.startswith(prefixes)
    }
    return travelling | {"OMP_NUM_THREADS": str(threads), REMOTE: "1"}


def _connect(ray: Any, slot: Slot) -> None:
    """Joins the cluster, or starts one here, and sees whether a row has room in it.

    Raises:
        UserError: nothing answers at the address, or the cluster is too small for one row.
    """
    address = os.environ.get(ADDRESS)
    _knock(address or "")
    here = {"address": "local", "_node_ip_address": "127.0.0.1", "include_dashboard": False}
    package = str(Path(__file__).parents[1])
    options: dict[str, Any] = {} if address else dict(here)
    options |= {"runtime_env": {"py_modules": [package]}, "logging_level": logging.WARNING}
    try:
        ray.init(**options)
    except (ConnectionError, ValueError) as error:
        message = str(error).strip().splitlines()[0]
        raise UserError(f"{ADDRESS} is {address!r}: {message}") from None
    room = ray.cluster_resources()
    for kind, needed in (("CPU", slot.threads()), ("GPU", slot.gpus)):
        if needed > room.get(kind, 0):
            ray.shutdown()
            has = f"a row needs {needed:g} {kind}, the cluster has {room.get(kind, 0):g}"
            raise UserError(f"NARROWS_ENGINE is ray: {has}")


def _knock(address: str) -> None:
    """Sees whether something listens at host:port, since Ray itself tries for minutes.

    Raises:
        UserError: nothing does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        return  # "auto" and the like
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except OSError as error:
        raise UserError(f"{ADDRESS} is {address!r}: {error.strerror or error}") from None


def _outcome(ray: Any, reference: Any, row: R, needs: Files) -> Outcome[R, Any]:
    """What came back; its files are written here."""
    try:
        value, error, contents = ray.get(reference)
    except ray.exceptions.RayError as failure:
        return Outcome(row, error=RuntimeError(str(failure).strip().splitlines()[-1]))
    for name, content in contents.items():
        assert needs.writes is not None
        target = needs.writes / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return Outcome(row, value, error)


def _work(
    task: Callable[[R], V],
    row: R,
    project: str,
    inputs: list[_Input],
    writes: Path | None,
) -> tuple[V | None, BaseException | None, dict[str, bytes]]:
    """Runs on a node: lays out the inputs in a folder of the node's own and runs the task there.

    The folder stays, so that a row that is begun again on the node resumes from its checkpoints.
    """
    import ray

    folder = Path(tempfile.gettempdir(), f"narrows-{os.getuid()}", project)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chdir(folder)
    for name, digest, (reference,) in inputs:
        path = Path(name)
        if not (path.exists() and digest_of(path) == digest):
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as partial:
                content: Any = ray.get(reference)
                partial.write_bytes(content)
    if writes is not None:
        writes.mkdir(parents=True, exist_ok=True)
    value, problem = None, None
    try:
        value = task(row)
    except Exception as error:
        problem = error
    contents = {}
    if writes is not None and problem is None:
        for path in sorted(p for p in writes.rglob("*") if p.is_file()):
            contents[path.relative_to(writes).as_posix()] = path.read_bytes()
    return value, problem, contents
