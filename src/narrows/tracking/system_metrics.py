"""CPU, memory, disk, network and GPU of the machine while a long run goes on, by MLflow's monitor.

Short rows are not watched: the monitor begins when a run has lasted `START_S`, so that one of a
minute has a point, and asks and writes in a thread of its own.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

from narrows.tracking import store

if TYPE_CHECKING:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

PREFIX = "system/"
"""Begins the names of these metrics."""
START_S = 25.0
SAMPLE_S, N_SAMPLES = 10.0, 3  # two points a minute; MLflow's environment variables say otherwise


class SystemMetrics:
    """Watches the machine for a run, from `START_S` on; what goes wrong is no fault of the run's.

    Args:
        run_id: id of a run that the store has.
    """

    def __init__(self, run_id: str):
        self.run_id = run_id
        self.monitor: SystemMetricsMonitor | None = None
        self.timer = threading.Timer(START_S, self._start)
        self.timer.daemon = True
        self.timer.start()

    def end(self) -> None:
        """Ends the watch, without what has been measured since the last point."""
        self.timer.cancel()
        if self.monitor is not None:
            self.monitor._shutdown_event.set()  # `finish` would wait for a store that is busy

    def _start(self) -> None:
        # of a store that goes away the run itself tells
        logging.getLogger("mlflow.system_metrics").setLevel(logging.CRITICAL)
        with contextlib.suppress(Exception):
            from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

            self.monitor = SystemMetricsMonitor(
                self.run_id, SAMPLE_S, N_SAMPLES, resume_logging=True, tracking_uri=store.uri()
            )
            self.monitor.start()
