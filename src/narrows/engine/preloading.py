"""Imported first by the forkserver that workers are forked from, and only by it.

What is imported there lives as long as it does. It ends with the process that drives it, also amid
the imports that follow, which take seconds: whoever would be forked later sees nothing of a driver
that was killed before. On Linux the system does that; elsewhere it ends after its imports.

At its end it leaves its objects to the system: to take those of torch apart takes over a second.
"""

import atexit
import os
import signal

from narrows.engine.collector import tune_collector
from narrows.engine.parent import end_with

tune_collector()
end_with(os.getppid(), signal.SIGKILL)
atexit.register(os._exit, 0)  # the first to be registered is the last to be called
