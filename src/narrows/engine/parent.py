"""A process that ends when the one that started it does, also when that is killed."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with(parent: int, sent: signal.Signals) -> None:
    """Lets the system send this process a signal when its parent ends. Linux can do that; elsewhere
    nothing happens.

    Args:
        parent: process id of the parent; if it has ended already, so does this process.
        sent: the signal.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(sent), 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), sent)
