"""Imports what stages import, and forks for each client: server.py SOCKET PROGRAM"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import multiprocessing
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import types
import weakref
from typing import Any

LIBRARIES = (
    *("torch", "torch._dynamo.utils", "pytorch_lightning", "torchmetrics"),
    *("umap", "pandas", "pydantic", "jinja2"),
    *("matplotlib.figure", "matplotlib.backends.backend_agg", "PIL.PngImagePlugin", "scipy.stats"),
    *("sklearn.cluster", "sklearn.mixture", "sklearn.decomposition", "sklearn.neighbors"),
    *("mlflow", "mlflow.store.tracking.sqlalchemy_store", "mlflow.store.artifact.artifact_repo"),
    *("sqlalchemy.dialects.sqlite", "alembic.command", "ruamel.yaml", "torchvision"),
    *("optuna", "optuna.storages._rdb.storage", "optuna.visualization.matplotlib"),
    *("dvc.cli", "dvc.cli.parser", "dvc.repo", "dvc.stage", "dvc.commands.repro"),
)
BEYOND = 200  # numbers of files from here on are nobody's


def main(place: str, program: str) -> None:
    """Serves until standard input ends."""
    gc.set_threshold(100_000, 20, 100)  # as narrows.engine.collector
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.freeze()  # no fork goes through these objects again
    # What the libraries do at their end takes a fork longer than what a test does with it.
    atexit.unregister(sys.modules["torch._dynamo.utils"].dump_compile_times)
    weakref.finalize._registry.clear()  # type: ignore[attr-defined]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()
        print("ready", flush=True)
        request = serve(listener)
    if request:
        take_place(request, program)
        end(run(request["words"]))
    end(0)


def serve(listener: socket.socket) -> dict[str, Any] | None:
    """The request, in the process that has been forked for it; None in the server, at its end."""
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ)
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is sys.stdin:
                return None
            if key.fileobj is listener:
                client, _ = listener.accept()
                request = receive(client)
                pid = os.fork()
                if pid == 0:
                    selector.close()
                    client.close()
                    return request
                for file in request["copies"]:
                    os.close(file)
                client.sendall(pid.to_bytes(4, "big"))
                process = os.pidfd_open(pid)
                selector.register(client, selectors.EVENT_READ, (client, pid, process))
                selector.register(process, selectors.EVENT_READ, (client, pid, process))
                continue
            client, pid, process = key.data
            if key.fileobj is client:  # it was killed
                os.kill(pid, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            with contextlib.suppress(OSError):
                client.sendall(code.to_bytes(4, "big", signed=True))
            for part in (client, process):
                selector.unregister(part)
            os.close(process)
            client.close()


def receive(client: socket.socket) -> dict[str, Any]:
    """What a client asks for, with copies of its files under numbers of ours."""
    head, files, _, _ = socket.recv_fds(client, 4, BEYOND)
    text = b""
    while len(text) < int.from_bytes(head, "big"):
        text += client.recv(65536)
    copies = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, BEYOND) for file in files]
    for file in files:
        os.close(file)
    return {**json.loads(text), "copies": copies}


def take_place(request: dict[str, Any], program: str) -> None:
    """Gives this process the files, the folder and the environment of the client."""
    for number, copy in zip(request["files"], request["copies"], strict=True):
        os.dup2(copy, number)
        os.close(copy)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.executable = program
    multiprocessing.set_executable(program)


def run(words: list[str]) -> int:
    """Runs `[-u] [-B] -c CODE`, `-m MODULE` or a script, as Python does; returns its exit code."""
    while words[0] in ("-u", "-B"):
        sys.stdout.reconfigure(write_through=words[0] == "-u")  # type: ignore[union-attr]
        words = words[1:]
    sources = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    is_script = words[0] not in ("-c", "-m")
    folder = os.path.dirname(os.path.abspath(words[0])) if is_script else ""
    sys.path[:] = [folder, *sources, *sys.path[1:]]
    sys.argv[:] = words if is_script else [words[0], *words[2:]]
    try:
        if is_script:
            runpy.run_path(words[0], run_name="__main__")
        elif words[0] == "-m":
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            module = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(words[1], "<string>", "exec"), module.__dict__)
    except SystemExit as exit:
        if isinstance(exit.code, int | None):
            return exit.code or 0
        print(exit.code, file=sys.stderr)
        return 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    return 0


def end(code: int) -> None:
    """Ends as Python does, but leaves all objects where they are: to take them apart would take
    two seconds, because the pages that they lie in are shared with the server."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
