"""A user's mistake: one clear sentence on stderr and exit code 1, never a traceback."""

import inspect
import os
import signal
import sys
from collections.abc import Callable


class UserError(Exception):
    """Says which file, which key, what was found and what is accepted."""


def run(stage: Callable[..., None]) -> None:
    """Runs a stage as a program, with the words of the command line as its arguments.

    `UserError` becomes a sentence, SIGTERM an orderly exit.
    """
    signature = inspect.signature(stage)
    try:
        signature.bind(*sys.argv[1:])
    except TypeError:
        accepted = "".join(f" <{name}>" for name in signature.parameters)
        sys.exit(f"narrows: usage: python {sys.argv[0]}{accepted}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` blocks still run
    try:
        stage(*sys.argv[1:])
    except UserError as error:
        sys.exit(f"narrows: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.stdout.flush()
    os._exit(0)  # everything is written: taking torch and Lightning apart costs 2 s a stage
