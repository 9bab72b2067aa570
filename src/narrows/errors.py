"""A user's mistake: one clear sentence on stderr and exit code 1, never a traceback."""

import signal
import sys
from collections.abc import Callable


class UserError(Exception):
    """Says which file, which key, what was found and what is accepted."""


def run(stage: Callable[[], None]) -> None:
    """Runs a stage as a program: `UserError` becomes a sentence, SIGTERM an orderly exit."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` blocks still run
    try:
        stage()
    except UserError as error:
        sys.exit(f"narrows: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
