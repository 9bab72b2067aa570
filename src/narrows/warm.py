"""A process that has the large libraries imported and forks for each stage of `make repro`.

    python -m narrows.warm COMMAND ...

More than half of a short stage are imports. While COMMAND runs, the first `python` on its PATH is a
shim: a script of `pipelines/` it hands to this process, with its words, files, folder and
environment, and a fork runs it. Signals and exit codes are passed on, and who is killed takes the
other along. The package itself is imported by each stage, as DVC hashes it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NamedTuple, NoReturn

LIBRARIES = (
    *("torch._dynamo", "pytorch_lightning", "matplotlib.backends.backend_agg", "umap"),
    *("mlflow", "mlflow.store.tracking.sqlalchemy_store", "sklearn.cluster", "sklearn.mixture"),
)
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STANDARD = 3  # input, output, error


class Stage(NamedTuple):
    """What a fork is to run."""

    words: list[str]
    folder: str
    environment: dict[str, str]
    files: list[int]


def main(*command: str, libraries: tuple[str, ...] = LIBRARIES) -> None:
    """Runs the command, and the stages that it asks for; exits with its code."""
    if not hasattr(os, "pidfd_open"):  # no Linux
        os.execvp(command[0], command)
    folder = Path(tempfile.mkdtemp(prefix="narrows-"))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.listen()
    asks = shlex.join([sys.executable, "-IS", __file__, sys.executable, str(folder / "socket")])
    (folder / "python").write_text(f'#!/bin/sh\nexec {asks} "$@"\n')
    (folder / "python").chmod(0o700)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    running = subprocess.Popen(command, env=os.environ | {"PATH": path})
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the command, too
    signal.signal(signal.SIGTERM, lambda *_: running.terminate())
    for library in libraries:
        importlib.import_module(library)
    gc.freeze()  # so that forks share what is there
    if stage := _asked_for(listener, running.pid):
        _run(stage)
    shutil.rmtree(folder)
    _leave(running.wait())


def _asked_for(listener: socket.socket, command: int) -> Stage | None:
    """In a fork, the stage that it is there for; in the process itself None, when the command and
    all stages have ended: Ctrl-C ends the command first."""
    events = selectors.DefaultSelector()
    events.register(listener, selectors.EVENT_READ)
    end = os.pidfd_open(command)
    events.register(end, selectors.EVENT_READ)
    stages: dict[int, tuple[int, socket.socket]] = {}  # by what tells that they have ended
    runs = True
    while runs or stages:
        for event, _ in events.select():
            if event.fileobj == end:
                runs = False
                events.unregister(end)
            elif event.fileobj is listener:
                asking, _ = listener.accept()
                if (stage := _received(asking)) is None:
                    asking.close()
                    continue
                if not (pid := os.fork()):
                    events.close()
                    for connection in (listener, asking, *(other for _, other in stages.values())):
                        connection.close()
                    for file in (end, *stages):
                        os.close(file)
                    return stage
                for file in stage.files:
                    os.close(file)
                ended = os.pidfd_open(pid)
                stages[ended] = pid, asking
                events.register(ended, selectors.EVENT_READ)
                events.register(asking, selectors.EVENT_READ, ended)
            elif event.fd in stages:
                pid, asking = stages.pop(event.fd)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with contextlib.suppress(OSError):  # who asked is gone
                    asking.sendall(code.to_bytes(4, "little", signed=True))
                for done in (event.fd, asking):
                    with contextlib.suppress(KeyError):
                        events.unregister(done)
                os.close(event.fd)
                asking.close()
            elif event.data in stages:
                pid, asking = stages[event.data]
                told = asking.recv(1)
                os.kill(pid, told[0] if told else signal.SIGKILL)
                if not told:
                    events.unregister(asking)
    return None


def _received(asking: socket.socket) -> Stage | None:
    """None where who asks is gone before it has told all."""
    size, files, *_ = socket.recv_fds(asking, 8, STANDARD)
    with asking.makefile("rb") as stream:
        told = stream.read(int.from_bytes(size, "little"))
    if not told:
        return None
    words, folder, environment = json.loads(told)
    return Stage(words, folder, environment, files)


def _run(stage: Stage) -> NoReturn:
    """As `python WORDS` would."""
    os.setsid()  # a terminal's Ctrl-C comes once, from who asked
    for place, file in enumerate(stage.files):
        os.dup2(file, place)
        os.close(file)
    os.chdir(stage.folder)
    os.environ.clear()
    os.environ.update(stage.environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.argv = stage.words
    sys.path[0] = str(Path(stage.words[0]).resolve().parent)
    try:
        runpy.run_path(stage.words[0], run_name="__main__")
    except SystemExit as exit_:
        if isinstance(exit_.code, str):
            print(exit_.code, file=sys.stderr)
        _leave(exit_.code if isinstance(exit_.code, int) else bool(exit_.code))
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        _leave(1)
    _leave(0)


def _leave(code: int) -> NoReturn:
    """Without taking the libraries apart, which takes seconds, and of which one complains."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def ask(python: str, address: str, *words: str) -> NoReturn:
    """What the shim does: the script is run by the process behind the address if it can, and by
    `python` otherwise."""
    server = socket.socket(socket.AF_UNIX)
    try:
        if not words or Path(words[0]).parent.name != "pipelines":
            raise ConnectionRefusedError
        server.connect(address)
    except OSError:
        os.execv(python, [python, *words])
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)  # they wait until all is told
    for number in PASSED_ON:
        signal.signal(number, lambda got, _: server.sendall(bytes([got])))
    told = json.dumps([words, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [len(told).to_bytes(8, "little")], range(STANDARD))
    server.sendall(told)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    answer = server.recv(4)
    if not answer:
        sys.exit("narrows.warm ended before the stage")
    code = int.from_bytes(answer, "little", signed=True)
    if code < 0:  # killed by a signal, and so is this
        with contextlib.suppress(OSError):  # that of SIGKILL cannot be set
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    if sys.flags.isolated:  # as the shim starts it
        ask(*sys.argv[1:])
    main(*sys.argv[1:])
