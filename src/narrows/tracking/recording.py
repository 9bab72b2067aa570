"""Runs of tasks that cannot reach MLflow's store: recorded there, logged when they are back.

A task on another machine cannot write into an sqlite file of the driver's folder, and must not over
a network file system. With a server or a database as MLFLOW_TRACKING_URI it logs by itself.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from narrows.engine._base import REMOTE
from narrows.tracking import run as runs
from narrows.tracking import store
from narrows.tracking.run import Run, RunData


@dataclass
class Recording(Run):
    """A run that is logged later: how it was started, and all calls of its methods."""

    name: str
    """Name in the runs table."""
    fingerprint: str
    """What the run is found again by."""
    data: RunData
    """The data that the run was given."""
    tags: dict[str, str]
    """Stage and whatever one filters by."""
    parent: str | None = None
    """Id of the run below which the runs table shows this one."""
    calls: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    """Methods and their arguments, in the order of the calls; of a file its name and content."""
    failed: bool = False
    """Whether its block ended with an error."""

    @property
    def id(self) -> str | None:
        """Stands for the run's id until it has one."""
        return f"recorded {self.fingerprint}"

    def log_params(self, params: dict[str, Any]) -> None:
        self.calls.append(("log_params", (params,)))

    def log_metrics(self, metrics: dict[str, float], step: int = 0) -> None:
        self.calls.append(("log_metrics", (metrics, step)))

    def log_image(self, key: str, image: np.ndarray, step: int) -> None:
        self.calls.append(("log_image", (key, image, step)))

    def log_file(self, file: Path) -> None:
        self.calls.append(("log_file", (file.name, file.read_bytes())))

    def set_tag(self, key: str, value: str) -> None:
        self.calls.append(("set_tag", (key, value)))


_recordings: list[Recording] | None = None


def is_recorded() -> bool:
    """Whether this process cannot reach the store, so that its runs are logged by another one."""
    return bool(os.environ.get(REMOTE)) and store.uri().startswith("sqlite")


@contextlib.contextmanager
def record() -> Iterator[list[Recording]]:
    """Collects the runs of the block where its process cannot reach the store; elsewhere they are
    logged at once and the list stays empty."""
    global _recordings
    if not is_recorded():
        yield []
        return
    _recordings = []
    try:
        yield _recordings
    finally:
        _recordings = None


@contextlib.contextmanager
def start_run(
    name: str,
    fingerprint: str,
    data: RunData,
    tags: dict[str, str],
    resumes: bool = False,
    parent: str | None = None,
) -> Iterator[Run]:
    """As `narrows.tracking.run.start_run`, or a recording of it within `record`."""
    if _recordings is None:
        with runs.start_run(name, fingerprint, data, tags, resumes, parent) as run:
            yield run
    else:
        recording = Recording(name, fingerprint, data, tags, parent)
        _recordings.append(recording)
        try:
            yield recording
        except BaseException:
            recording.failed = True
            raise


def replay(recordings: Sequence[Recording]) -> None:
    """Logs recorded runs, in their order: a parent comes before what stands below it."""
    ids: dict[str | None, str | None] = {}  # of runs, by what stood for them
    for recording in recordings:
        with contextlib.suppress(_Failed), _start(recording, ids) as run:
            ids[recording.id] = run.id
            _log(recording, run)
            if recording.failed:
                raise _Failed


class _Failed(Exception):
    """Ends a run that failed where it was recorded."""


def _start(
    recording: Recording, ids: Mapping[str | None, str | None]
) -> contextlib.AbstractContextManager[Run]:
    return runs.start_run(
        recording.name,
        recording.fingerprint,
        recording.data,
        recording.tags,
        parent=ids.get(recording.parent, recording.parent),
    )


def _log(recording: Recording, run: Run) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for method, arguments in recording.calls:
            if method == "log_file":
                name, content = arguments
                file = Path(folder, name)
                file.write_bytes(content)
                arguments = (file,)
            getattr(run, method)(*arguments)
