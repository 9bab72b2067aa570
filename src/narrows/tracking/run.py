"""Runs as MLflow's store has them: begun, logged to, ended. Its errors are the caller's
(narrows.tracking.recording).

A run is found again by its fingerprint tag, so one row on one data set is one run: a stage that
resumes goes on in it, a stage that starts anew replaces it (MLflow cannot take metrics back). Where
people sign in, it is one run of each person. Worker processes may start and log runs at the same
time.
"""

from __future__ import annotations

import functools
import json
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from narrows.config import params
from narrows.engine import owner
from narrows.errors import say
from narrows.tracking import artifacts, models, provenance, store, system_metrics
from narrows.tracking.store import write

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

FINGERPRINT = "fingerprint"
PERSON = "mlflow.user"
ANEW, RESUMED, AMENDED = "anew", "resumed", "amended"
RECORDED = "recorded "
"""What the id of a run that the store does not know yet begins with; its fingerprint follows."""
PROCESS = "process"
MOST_METRICS = 1000
"""MLflow takes no more in a request."""


@dataclass(frozen=True)
class RunData:
    """The data that a run was given, for MLflow's dataset column."""

    name: str
    """Name of the data set, and of MLflow's experiment."""
    digest: str
    """SHA-256 over x.npy and split.npy."""
    shape: tuple[int, ...]
    """Shape (N, ...) of all samples."""


@dataclass(frozen=True)
class Beginning:
    """How a run begins."""

    name: str
    """Name in the runs table."""
    fingerprint: str
    """What the run is found again by; one run of an experiment has it."""
    data: RunData
    """The data that the run was given."""
    tags: dict[str, str]
    """Stage and whatever one filters by, and where the run comes from."""
    how: str = ANEW
    """ANEW deletes an earlier run of this fingerprint, RESUMED goes on in it, AMENDED adds to it
    and is nothing where there is none."""
    parent: str | None = None
    """Id of the run below which the runs table shows this one."""
    patch: str = ""
    """What has to be applied to the commit to get the code of the run."""
    begun_ns: int = field(default_factory=time.time_ns)
    """When it began, in nanoseconds since 1970: a parent before what stands below it."""


Epoch = Sequence[Any]
"""A step, when it ended, in milliseconds since 1970, and its metrics: a tuple, or a list that has
waited in a file."""


class Run:
    """One MLflow run. This class logs nothing: it stands in where mlflow is not installed."""

    def log_params(self, params: dict[str, Any]) -> None:
        """Logs parameters, which cannot be changed afterwards; nested keys become dotted ones."""

    def log_metrics(self, metrics: dict[str, float], step: int = 0) -> None:
        """Logs all metrics of one step in one request."""

    def log_epochs(self, epochs: Sequence[Epoch]) -> None:
        """Logs the metrics of several steps in one request."""

    def log_image(self, key: str, image: np.ndarray, step: int) -> None:
        """Logs a picture, uint8 (H, W, 3), under a key that is the same in every run."""

    def log_file(self, file: Path) -> None:
        """Logs a copy of the file among the run's artifacts."""

    def lacks_model(self, fingerprint: str) -> bool:
        """Whether a model of these files is still to be logged with the run."""
        return False

    def log_model(self, name: str, fingerprint: str, archive: bytes) -> None:
        """Logs a model that `models.packed` has made of files of this fingerprint."""

    def score_model(self, fingerprint: str) -> None:
        """Puts what the run has measured on its model of these files, too."""

    def set_tag(self, key: str, value: str) -> None:
        """Sets a word to filter runs by."""

    def show(self, current: Collection[str], tags: Mapping[str, str]) -> None:
        """Marks the runs of these ids as current, as `views.show`, in this run's experiment."""

    def end(self, status: str, ended_ms: int | None = None) -> None:
        """Ends the run as FINISHED, FAILED or KILLED, now or at a time in milliseconds."""

    def picture(self, key: str) -> str | None:
        """The address of its latest picture under this key, on MLflow's page."""
        return None

    @property
    def id(self) -> str | None:
        """Id that `start_run` takes as the parent of other runs; None where nothing is logged."""
        return None


class MlflowRun(Run):
    """A run in MLflow's store."""

    def __init__(
        self, client: MlflowClient, run_id: str, logged: int = 0, takes_files: bool = True
    ):
        """Goes on in a run of which steps 1 to `logged` are there already: a kill can come between
        log and checkpoint. Pictures and files are left out where it takes none."""
        self.client, self.run_id, self.logged = client, run_id, logged
        self.takes_files = takes_files

    def log_params(self, params: dict[str, Any]) -> None:
        from mlflow.entities import Param

        values = flat(params) | ({"depth": depth(params)} if "network" in params else {})
        entities = [Param(key, str(value)) for key, value in values.items()]
        write(self.client.log_batch, self.run_id, params=entities)

    def log_metrics(self, metrics: dict[str, float], step: int = 0) -> None:
        self.log_epochs([(step, time.time_ns() // 1_000_000, metrics)])

    def log_epochs(self, epochs: Sequence[Epoch]) -> None:
        from mlflow.entities import Metric

        entities = [
            Metric(key, value, when, step)
            for step, when, metrics in epochs
            if not 0 < step <= self.logged
            for key, value in metrics.items()
        ]
        for first in range(0, len(entities), MOST_METRICS):
            batch = entities[first : first + MOST_METRICS]
            write(self.client.log_batch, self.run_id, metrics=batch)

    def log_image(self, key: str, image: np.ndarray, step: int) -> None:
        if self.takes_files and not 0 < step <= self.logged:
            with artifacts.explained():
                write(
                    self.client.log_image, self.run_id, image, key=key, step=step, synchronous=True
                )

    def log_file(self, file: Path) -> None:
        if self.takes_files:
            with artifacts.explained():
                self.client.log_artifact(self.run_id, str(file))

    def lacks_model(self, fingerprint: str) -> bool:
        return self.takes_files and models.find(self.client, self.run_id, fingerprint) is None

    def log_model(self, name: str, fingerprint: str, archive: bytes) -> None:
        if self.lacks_model(fingerprint):
            with artifacts.explained():
                models.log(self.client, self.run_id, name, fingerprint, archive)

    def score_model(self, fingerprint: str) -> None:
        if model_id := models.find(self.client, self.run_id, fingerprint):
            models.score(self.client, self.run_id, model_id)

    def set_tag(self, key: str, value: str) -> None:
        write(self.client.set_tag, self.run_id, key, value)

    def show(self, current: Collection[str], tags: Mapping[str, str]) -> None:
        from narrows.tracking import views

        experiment = self.client.get_experiment(self.client.get_run(self.run_id).info.experiment_id)
        known = [run_id_of(self.client, experiment.experiment_id, name) for name in current]
        views.show(experiment.name, {run_id for run_id in known if run_id}, tags)

    def end(self, status: str, ended_ms: int | None = None) -> None:
        write(self.client.set_terminated, self.run_id, status, ended_ms)

    def picture(self, key: str) -> str | None:
        with artifacts.explained():
            files = [file.path for file in self.client.list_artifacts(self.run_id, "images")]
        pictures = sorted(f for f in files if f.startswith(f"images/{key}+") and f.endswith(".png"))
        address = f"get-artifact?run_uuid={self.run_id}&path="
        return address + quote(pictures[-1], "") if pictures else None

    @property
    def id(self) -> str | None:
        return self.run_id


def begin(client: MlflowClient, beginning: Beginning) -> MlflowRun | None:
    """The run of a beginning; None where there is nothing to amend."""
    experiment = experiment_of(client, beginning.data.name)
    _kill_orphans(client, experiment)
    run_id = _find(client, experiment, beginning.fingerprint)
    takes_files = artifacts.is_reached(client, experiment)
    if beginning.how == AMENDED:
        return MlflowRun(client, run_id, takes_files=takes_files) if run_id else None
    if run_id is not None and beginning.how == ANEW:
        models.drop(client, run_id)
        write(client.delete_run, run_id)
        run_id = None
    tags = {FINGERPRINT: beginning.fingerprint, "dataset": beginning.data.name, **beginning.tags}
    if person := store.person():
        tags[PERSON] = person
    if beginning.parent and (parent := run_id_of(client, experiment, beginning.parent)):
        tags["mlflow.parentRunId"] = parent
    if run_id is not None:
        logged = _resume(client, run_id, beginning.name, tags)
        return MlflowRun(client, run_id, logged, takes_files)
    run = MlflowRun(client, _create(client, experiment, beginning, tags), takes_files=takes_files)
    if beginning.patch and takes_files:
        with artifacts.explained():
            client.log_text(run.run_id, beginning.patch, provenance.PATCH)
    return run


def is_superseded(client: MlflowClient, beginning: Beginning) -> bool:
    """Whether the store has a run of this fingerprint that began later, which would be deleted."""
    run_id = _find(client, experiment_of(client, beginning.data.name), beginning.fingerprint)
    if run_id is None or beginning.how != ANEW:
        return False
    return bool(client.get_run(run_id).info.start_time > beginning.begun_ns // 1_000_000)


def find_run(fingerprint: str, dataset: str) -> Run:
    """The finished run of this fingerprint; logs nothing if it is not there."""
    client = store.open_client()
    if client is None:
        return Run()
    run_id = _find(client, experiment_of(client, dataset), fingerprint)
    return MlflowRun(client, run_id) if run_id else Run()


def run_id_of(client: MlflowClient, experiment: str, name: str) -> str | None:
    """A run's id, also where it had none yet when its name was taken down."""
    if not name.startswith(RECORDED):
        return name
    return _find(client, experiment, name.removeprefix(RECORDED))


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
def experiment_of(client: MlflowClient, name: str) -> str:
    """Id of the experiment of a data set: created if it is not there, restored if it was deleted on
    MLflow's page."""
    with store.lock():
        experiment = client.get_experiment_by_name(name) or _create_experiment(client, name)
        if experiment.lifecycle_stage == "deleted":
            write(client.restore_experiment, experiment.experiment_id)
            say(f"MLflow's experiment {name} had been deleted and is restored")
        return str(experiment.experiment_id)


def _create_experiment(client: MlflowClient, name: str) -> Experiment:
    """The new experiment; that of another machine, if it was a moment faster."""
    from mlflow import MlflowException

    location = store.artifacts(name)
    try:
        experiment_id = write(client.create_experiment, name, artifact_location=location)
    except MlflowException:
        if experiment := client.get_experiment_by_name(name):
            return experiment
        raise
    if location is not None:
        artifacts.make(location)
    return client.get_experiment(experiment_id)


def _find(client: MlflowClient, experiment: str, fingerprint: str) -> str | None:
    same = f"tags.{FINGERPRINT} = '{fingerprint}'{_of_this_person()}"
    runs = client.search_runs([experiment], same, max_results=1)
    return runs[0].info.run_id if runs else None


def _of_this_person() -> str:
    """The rest of a filter that leaves other people's runs alone where people sign in."""
    person = store.person()
    return f' AND tags.`{PERSON}` = "{person}"' if person else ""


def _create(
    client: MlflowClient, experiment: str, beginning: Beginning, tags: dict[str, str]
) -> str:
    """Id of a new run."""
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

    data, when = beginning.data, beginning.begun_ns // 1_000_000
    run = write(client.create_run, experiment, when, tags, beginning.name)
    schema = json.dumps({"shape": data.shape})
    dataset = Dataset(data.name, data.digest[:8], "local", data.name, schema=schema)
    inputs = [DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, "training")])]
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


def _resume(client: MlflowClient, run_id: str, name: str, tags: dict[str, str]) -> int:
    """Lets the run go on under these tags; the last step that it has."""
    from mlflow.entities import RunTag

    logged = client.get_run(run_id).data.metrics
    keys = [key for key in logged if not key.startswith(system_metrics.PREFIX)]
    steps = [point.step for key in keys for point in client.get_metric_history(run_id, key)]
    write(client.log_batch, run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    write(client.update_run, run_id, status="RUNNING", name=name)
    return max(steps, default=0)


@functools.cache
def _kill_orphans(client: MlflowClient, experiment: str) -> None:
    """Marks runs that a kill -9 left RUNNING as KILLED, if their process was on this machine.

    A process looks once: what is killed while it lives is seen by the next one.
    """
    running = f"tags.host = '{socket.gethostname()}' AND attributes.status = 'RUNNING'"
    for run in client.search_runs([experiment], running + _of_this_person()):
        process = run.data.tags.get(PROCESS, "")
        if owner.has_ended(process) and _is_still(client, run.info.run_id, process):
            write(client.set_terminated, run.info.run_id, "KILLED")


def _is_still(client: MlflowClient, run_id: str, process: str) -> bool:
    """Whether a run is RUNNING and of this process. Asked once the process has ended: between the
    search for running runs and its end it can have finished its run."""
    run = client.get_run(run_id)
    return run.info.status == "RUNNING" and run.data.tags.get(PROCESS) == process
