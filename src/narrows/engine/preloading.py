"""Imported first by the forkserver that workers are forked from, and only by it.

What is imported there lives as long as it does. It ends with the process that drives it, also amid
the imports that follow, which take seconds: whoever would be forked later sees nothing of a driver
that was killed before. On Linux the system does that; elsewhere it ends after its imports.
"""

import ctypes
import signal
import sys

from narrows.engine.collector import tune_collector

PR_SET_PDEATHSIG = 1  # linux/prctl.h

tune_collector()
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
