"""Runs that outlive MLflow's store: what it does not take is recorded, and logged later.

Training goes on without the store. A server may be down, a file locked, read-only or on a full
disk; the recording then waits in .work (narrows.tracking.waiting) until the store answers. A task
on another machine records, too: it cannot write into an sqlite file of the driver's folder, and
must not over a network file system.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.config.messages import plural
from narrows.engine._base import REMOTE
from narrows.errors import UserError, say
from narrows.tracking import absence, provenance, store, waiting
from narrows.tracking import run as runs
from narrows.tracking.run import AMENDED, ANEW, RECORDED, RESUMED, Beginning, Epoch, Run, RunData
from narrows.tracking.system_metrics import SystemMetrics

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass
class Recording(Run):
    """A run that is logged later: how it began, and all calls of its methods."""

    beginning: Beginning
    calls: list[tuple[str, list[Any]]] = field(default_factory=list)
    """Methods and their arguments, in the order of the calls; of a file its name and content."""

    @property
    def id(self) -> str | None:
        """Stands for the run's id until it has one."""
        return RECORDED + self.beginning.fingerprint

    def log_params(self, params: dict[str, Any]) -> None:
        self.calls.append(("log_params", [params]))

    def log_metrics(self, metrics: dict[str, float], step: int = 0) -> None:
        self.log_epochs([(step, _now_ms(), metrics)])

    def log_epochs(self, epochs: Sequence[Epoch]) -> None:
        self.calls.append(("log_epochs", [list(epochs)]))

    def log_image(self, key: str, image: np.ndarray, step: int) -> None:
        self.calls.append(("log_image", [key, image, step]))

    def log_file(self, file: Path) -> None:
        self.calls.append(("log_file", [file.name, file.read_bytes()]))

    def lacks_model(self, fingerprint: str) -> bool:
        return True

    def log_model(self, name: str, fingerprint: str, archive: bytes) -> None:
        self.calls.append(("log_model", [name, fingerprint, archive]))

    def score_model(self, fingerprint: str) -> None:
        self.calls.append(("score_model", [fingerprint]))

    def set_tag(self, key: str, value: str) -> None:
        self.calls.append(("set_tag", [key, value]))

    def show(self, current: Collection[str], tags: Mapping[str, str]) -> None:
        self.calls.append(("show", [sorted(current), dict(tags)]))

    def end(self, status: str, ended_ms: int | None = None) -> None:
        self.calls.append(("end", [status, ended_ms or _now_ms()]))


class LastingRun(Run):
    """A run that is logged as long as the store takes it, and recorded from then on."""

    def __init__(self, beginning: Beginning):
        """Begins the run; raises `UserError` where the store needs the user's hand."""
        self.recording = Recording(beginning)
        self.run: runs.MlflowRun | None = None
        self.system_metrics: SystemMetrics | None = None
        self.is_nothing = False
        """Whether it was to be added to a run that is not there."""
        if is_recorded():
            return
        if absence.is_known():
            absence.remind()
            return
        with absence.noticed() as outcome:
            client = store.open_client()
            if client is not None:
                log_waiting()
                self.run = runs.begin(client, beginning)
        if self.run is not None and beginning.how != AMENDED:
            self.system_metrics = SystemMetrics(self.run.run_id)
        self.is_nothing = not outcome.is_absent and self.run is None

    def log_params(self, params: dict[str, Any]) -> None:
        self._call("log_params", params)

    def log_metrics(self, metrics: dict[str, float], step: int = 0) -> None:
        self._call("log_metrics", metrics, step)

    def log_epochs(self, epochs: Sequence[Epoch]) -> None:
        self._call("log_epochs", epochs)

    def log_image(self, key: str, image: np.ndarray, step: int) -> None:
        self._call("log_image", key, image, step)

    def log_file(self, file: Path) -> None:
        self._call("log_file", file)

    def lacks_model(self, fingerprint: str) -> bool:
        if self.run is not None:
            with absence.noticed():
                return self.run.lacks_model(fingerprint)
        return not self.is_nothing

    def log_model(self, name: str, fingerprint: str, archive: bytes) -> None:
        self._call("log_model", name, fingerprint, archive)

    def score_model(self, fingerprint: str) -> None:
        self._call("score_model", fingerprint)

    def set_tag(self, key: str, value: str) -> None:
        self._call("set_tag", key, value)

    def show(self, current: Collection[str], tags: Mapping[str, str]) -> None:
        self._call("show", current, tags)

    def end(self, status: str, ended_ms: int | None = None) -> None:
        self._end_system_metrics()
        self._call("end", status, ended_ms)

    def picture(self, key: str) -> str | None:
        if self.run is not None:
            with absence.noticed():
                return self.run.picture(key)
        return None

    @property
    def id(self) -> str | None:
        return None if self.is_nothing else (self.run or self.recording).id

    def _call(self, method: str, *arguments: Any) -> None:
        if self.is_nothing:
            return
        if self.run is not None:
            with absence.noticed() as outcome:
                getattr(self.run, method)(*arguments)
            if not outcome.is_absent:
                return
            how = AMENDED if self.recording.beginning.how == AMENDED else RESUMED
            self.recording.beginning = replace(self.recording.beginning, how=how)
            self.run = None
            self._end_system_metrics()
        getattr(self.recording, method)(*arguments)

    def _end_system_metrics(self) -> None:
        if self.system_metrics is not None:
            self.system_metrics.end()


_recordings: list[Recording] | None = None


def is_recorded() -> bool:
    """Whether this process cannot reach the store, so that its runs are logged by another one."""
    return bool(os.environ.get(REMOTE)) and store.uri().startswith("sqlite")


@contextlib.contextmanager
def record() -> Iterator[list[Recording]]:
    """Collects what the block could not log where its process runs away from the project's folder;
    elsewhere the list stays empty."""
    global _recordings
    if not os.environ.get(REMOTE):
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
    """The run of a stage; FINISHED, FAILED or KILLED by the way in which the block ends.

    Args:
        name: name in the runs table.
        fingerprint: what the run is found again by; one run of an experiment has it.
        tags: stage and whatever one filters by.
        resumes: go on in the run of this fingerprint; otherwise that run is deleted first.
        parent: id of the run below which the runs table shows this one.

    Raises:
        UserError: the store is of another version, or half made; before the block begins.
    """
    if not store.is_installed():
        yield Run()
        return
    tags = tags | provenance.tags(data.digest)
    patch = provenance.uncommitted() if parent is None else ""
    how = RESUMED if resumes else ANEW
    run = LastingRun(Beginning(name, fingerprint, data, tags, how, parent, patch))
    try:
        yield run
    except BaseException as error:
        run.end("KILLED" if isinstance(error, KeyboardInterrupt | SystemExit) else "FAILED")
        _keep(run.recording)
        raise
    run.end("FINISHED")
    _keep(run.recording)


@contextlib.contextmanager
def amend_run(fingerprint: str, data: RunData) -> Iterator[Run]:
    """The finished run of this fingerprint, to add scores to; logs nothing if it is not there."""
    if not store.is_installed():
        yield Run()
        return
    run = LastingRun(Beginning("", fingerprint, data, {}, AMENDED))
    yield run
    _keep(run.recording)


def replay(recordings: Sequence[Recording]) -> None:
    """Logs recorded runs, in their order: a parent comes before what stands below it. What the
    store does not take waits for it."""
    for recording in sorted(recordings, key=lambda recording: recording.beginning.begun_ns):
        is_logged = False
        if not absence.is_known():
            with absence.noticed() as outcome:
                try:
                    _log(recording)
                except UserError as error:  # what the recording is of is there, whatever MLflow has
                    raise store.Away(str(error)) from None
            is_logged = not outcome.is_absent
        if not is_logged:
            _keep(recording)


def log_waiting(everything: bool = False) -> None:
    """Logs what has waited for the store, but for runs below one that may still go on.

    Args:
        everything: these runs, too.

    Raises:
        UserError, or what MLflow raises: the store still does not take it.
    """
    n_logged = 0
    with waiting.folders() as folders:
        for folder in folders:
            try:
                recording = Recording(*waiting.read(folder))
                if not everything and _has_no_parent_yet(recording.beginning):
                    continue
                _log(recording)
                n_logged += 1
            except waiting.Damaged as error:
                say(f"MLflow: {error}")
            waiting.drop(folder)
    if n_logged:
        say(f"MLflow: what it lacked of {plural(n_logged, 'run')} is logged")


def log_what_waits() -> None:
    """Logs everything that waits; where the store is away, it says so."""
    if waiting.is_empty() or not store.is_installed():
        return
    absence.forget()
    with absence.noticed():
        store.open_client()
        log_waiting(everything=True)


def _has_no_parent_yet(beginning: Beginning) -> bool:
    client, parent = store.open_client(), beginning.parent
    if client is None or parent is None:
        return False
    return runs.run_id_of(client, runs.experiment_of(client, beginning.data.name), parent) is None


def _keep(recording: Recording) -> None:
    """Hands a recording on to the driver, or puts it where it waits; one without calls is nothing
    that the store lacks."""
    if not recording.calls:
        return
    if _recordings is not None:
        _recordings.append(recording)
    else:
        waiting.keep(recording.beginning, recording.calls)


def _log(recording: Recording) -> None:
    """Logs a recorded run, call by call.

    Raises:
        UserError, or what MLflow raises: the store is away. What it refuses while it answers is
            said and left out.
    """
    client, name = store.open_client(), recording.beginning.name or "a run"
    if client is None:
        return
    run: Run | None = None
    with _refused(client, f"the run {name}"):
        if not runs.is_superseded(client, recording.beginning):
            run = runs.begin(client, recording.beginning)
    if run is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        for method, arguments in recording.calls:
            if method == "log_file":
                file = Path(folder, arguments[0])
                file.write_bytes(arguments[1])
                arguments = [file]
            what = method.partition("_")[2]  # log_epochs, set_tag, ...
            with _refused(client, f"the {what} of {name}"):
                getattr(run, method)(*arguments)


@contextlib.contextmanager
def _refused(client: MlflowClient, what: str) -> Iterator[None]:
    """Says what the store refuses and goes on; raises `Away` where it does not answer."""
    try:
        yield
    except store.errors() as error:
        store.ask(client)
        say(f"MLflow refuses {what}: {store.said(error)}")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
