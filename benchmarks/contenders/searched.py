"""What a search has cost: trials an hour, and CPU seconds of all its processes a trial."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import optuna

TICKS = os.sysconf("SC_CLK_TCK")


class Meter(threading.Thread):
    """Notes five times a second what a process and those that it has started have computed."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.times: list[float] = []
        self.seconds: list[float] = []
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.wait(0.2):
            self.times.append(time.time())
            self.seconds.append(cpu_seconds(os.getpid()))

    def outcome(self, study: optuna.Study) -> dict[str, float]:
        """Trials per hour, and CPU seconds a trial, from the first's start to the last's end."""
        self.is_over.set()
        self.join()
        trials = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
        began = min(trial.datetime_start for trial in trials if trial.datetime_start)
        ended = max(trial.datetime_complete for trial in trials if trial.datetime_complete)
        at = [moment.timestamp() for moment in (began, ended)]
        first, last = np.interp(at, self.times, self.seconds)
        rate = 3600 * len(trials) / (ended - began).total_seconds()
        return {"per_hour": rate, "cpu_seconds": float(last - first) / len(trials)}


def cpu_seconds(root: int) -> float:
    """CPU seconds of a process and of all below it, those that have ended included."""
    parents, ticks = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        parents[int(folder.name)], ticks[int(folder.name)] = int(words[1]), words[11:15]
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(int(value) for pid in family for value in ticks[pid]) / TICKS
