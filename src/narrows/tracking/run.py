"""MLflow's view of every run. Without mlflow, nothing is logged.

A run is found again by its fingerprint tag, so one row on one data set is one run: a stage that
resumes goes on in it, a stage that starts anew replaces it (MLflow cannot take metrics back).
Worker processes may start and log runs at the same time.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import psutil

from narrows.config import params
from narrows.tracking import provenance, store
from narrows.tracking.store import write

if TYPE_CHECKING:
    from mlflow import MlflowClient

FINGERPRINT = "fingerprint"
PROCESS = "process"
PROCESS_FORM = re.compile(r"(\d{1,9})@(\d{1,15})")  # id, and seconds since 1970 when it began


@dataclass(frozen=True)
class RunData:
    """The data that a run was given, for MLflow's dataset column."""

    name: str
    """Name of the data set, and of MLflow's experiment."""
    digest: str
    """SHA-256 over x.npy and split.npy."""
    shape: tuple[int, ...]
    """Shape (N, ...) of all samples."""


class Run:
    """One MLflow run. This class logs nothing: it stands in where mlflow is not installed."""

    def log_params(self, params: dict[str, Any]) -> None:
        """Logs parameters, which cannot be changed afterwards; nested keys become dotted ones."""

    def log_metrics(self, metrics: dict[str, float], step: int = 0) -> None:
        """Logs all metrics of one step in one request."""

    def log_image(self, key: str, image: np.ndarray, step: int) -> None:
        """Logs a picture, uint8 (H, W, 3), under a key that is the same in every run."""

    def log_file(self, file: Path) -> None:
        """Logs a copy of the file among the run's artifacts."""

    def set_tag(self, key: str, value: str) -> None:
        """Sets a word to filter runs by."""

    def picture(self, key: str) -> str | None:
        """The address of its latest picture under this key, on MLflow's page."""
        return None

    @property
    def id(self) -> str | None:
        """Id that `start_run` takes as the parent of other runs; None where nothing is logged."""
        return None


class MlflowRun(Run):
    """A run in MLflow's store."""

    def __init__(self, client: MlflowClient, run_id: str, logged: int = 0):
        """Goes on in a run of which steps 1 to `logged` are there already: a kill can come between
        log and checkpoint."""
        self.client, self.run_id, self.logged = client, run_id, logged

    def log_params(self, params: dict[str, Any]) -> None:
        from mlflow.entities import Param

        values = flat(params) | ({"depth": depth(params)} if "network" in params else {})
        entities = [Param(key, str(value)) for key, value in values.items()]
        write(self.client.log_batch, self.run_id, params=entities)

    def log_metrics(self, metrics: dict[str, float], step: int = 0) -> None:
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        if 0 < step <= self.logged:
            return
        now = get_current_time_millis()
        entities = [Metric(key, value, now, step) for key, value in metrics.items()]
        write(self.client.log_batch, self.run_id, metrics=entities)

    def log_image(self, key: str, image: np.ndarray, step: int) -> None:
        if not 0 < step <= self.logged:
            write(self.client.log_image, self.run_id, image, key=key, step=step, synchronous=True)

    def log_file(self, file: Path) -> None:
        self.client.log_artifact(self.run_id, str(file))

    def set_tag(self, key: str, value: str) -> None:
        write(self.client.set_tag, self.run_id, key, value)

    def picture(self, key: str) -> str | None:
        files = [file.path for file in self.client.list_artifacts(self.run_id, "images")]
        pictures = sorted(f for f in files if f.startswith(f"images/{key}+") and f.endswith(".png"))
        address = f"get-artifact?run_uuid={self.run_id}&path="
        return address + quote(pictures[-1], "") if pictures else None

    @property
    def id(self) -> str | None:
        return self.run_id


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
    """
    client = store.open_client()
    if client is None:
        yield Run()
        return
    experiment = _experiment(client, data.name)
    _kill_orphans(client, experiment)
    run_id = _find(client, experiment, fingerprint)
    if run_id is not None and not resumes:
        write(client.delete_run, run_id)
        run_id = None
    tags = {FINGERPRINT: fingerprint, "dataset": data.name, **tags, **provenance.tags(data.digest)}
    tags |= {} if parent is None else {"mlflow.parentRunId": parent}
    if run_id is None:
        run = MlflowRun(client, _create(client, experiment, name, data, tags))
        if parent is None and (patch := provenance.uncommitted()):
            client.log_text(run.run_id, patch, provenance.PATCH)
    else:
        run = _resume(client, run_id, name, tags)
    try:
        yield run
    except BaseException as error:
        killed = isinstance(error, KeyboardInterrupt | SystemExit)
        write(client.set_terminated, run.run_id, "KILLED" if killed else "FAILED")
        raise
    write(client.set_terminated, run.run_id, "FINISHED")


def find_run(fingerprint: str, dataset: str) -> Run:
    """The finished run of this fingerprint, to add scores to; logs nothing if it is not there."""
    client = store.open_client()
    if client is None:
        return Run()
    run_id = _find(client, _experiment(client, dataset), fingerprint)
    return MlflowRun(client, run_id) if run_id else Run()


def depth(row: Mapping[str, Any]) -> int:
    """Number of hidden layers on each side of the code; 0 where there is no network.

    >>> depth({"name": "plain", "network": {"name": "mlp", "hidden": [500, 500]}})
    2
    """
    if "network" not in row:
        return 0
    layers: int = params.plugin("networks", row["network"]).config.depth
    return layers


def flat(params: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings under dotted keys; a plug-in's name under that of the plug-in.

    >>> flat({"a": 1, "b": {"name": "mlp", "hidden": [128]}})
    {'a': 1, 'b': 'mlp', 'b.hidden': [128]}
    """
    values: dict[str, Any] = {}
    for key, value in params.items():
        if isinstance(value, dict):
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[prefix.removesuffix(".") if prefix and key == "name" else prefix + key] = value
    return values


@functools.cache
def _experiment(client: MlflowClient, name: str) -> str:
    """Id of the experiment of a data set, created if it is not there."""
    with store.lock():
        experiment = client.get_experiment_by_name(name)
        if experiment is not None:
            return str(experiment.experiment_id)
        local = (store.root() / "mlruns" / "artifacts" / name).as_uri()
        location = None if store.uri().startswith("http") else local
        return str(write(client.create_experiment, name, artifact_location=location))


def _find(client: MlflowClient, experiment: str, fingerprint: str) -> str | None:
    runs = client.search_runs([experiment], f"tags.{FINGERPRINT} = '{fingerprint}'", max_results=1)
    return runs[0].info.run_id if runs else None


def _create(
    client: MlflowClient, experiment: str, name: str, data: RunData, tags: dict[str, str]
) -> str:
    """Id of a new run of this data."""
    from mlflow.entities import Dataset, DatasetInput

    run = write(client.create_run, experiment, run_name=name, tags=tags)
    schema = json.dumps({"shape": data.shape})
    dataset = Dataset(data.name, data.digest[:8], "local", data.name, schema=schema)
    inputs = [DatasetInput(dataset)]
    entered = _entered(client)
    if (experiment, dataset.digest) in entered:
        write(client.log_inputs, run.info.run_id, datasets=inputs)
    else:
        with store.lock():  # MLflow looks for the row of the data set and then inserts it
            write(client.log_inputs, run.info.run_id, datasets=inputs)
        entered.add((experiment, dataset.digest))
    return str(run.info.run_id)


@functools.cache
def _entered(client: MlflowClient) -> set[tuple[str, str]]:
    """Experiments, and digests of data sets that are in them for sure."""
    return set()


def _resume(client: MlflowClient, run_id: str, name: str, tags: dict[str, str]) -> MlflowRun:
    """The run, running again under these tags."""
    from mlflow.entities import RunTag

    keys = client.get_run(run_id).data.metrics
    steps = [point.step for key in keys for point in client.get_metric_history(run_id, key)]
    write(client.update_run, run_id, status="RUNNING", name=name)
    write(client.log_batch, run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    return MlflowRun(client, run_id, max(steps, default=0))


@functools.cache
def _kill_orphans(client: MlflowClient, experiment: str) -> None:
    """Marks runs that a kill -9 left RUNNING as KILLED, if their process was on this machine.

    A process looks once: what is killed while it lives is seen by the next one.
    """
    running = f"tags.host = '{socket.gethostname()}' AND attributes.status = 'RUNNING'"
    for run in client.search_runs([experiment], running):
        if _has_ended(run.data.tags.get(PROCESS, "")):
            write(client.set_terminated, run.info.run_id, "KILLED")


def _has_ended(process: str) -> bool:
    """Whether a process of this machine is gone for sure; one that cannot be read is not ours.

    >>> _has_ended("1@1"), _has_ended("x"), _has_ended("-1@1")
    (True, False, False)
    """
    parts = PROCESS_FORM.fullmatch(process)
    if parts is None:
        return False
    try:
        return f"{psutil.Process(int(parts[1])).create_time():.0f}" != parts[2]
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:  # it is there, and another user's
        return False
