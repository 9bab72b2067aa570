"""MLflow's view of every run. Without mlflow, nothing is logged.

A run is found again by its fingerprint tag, so one row on one data set is one run: a stage that
resumes goes on in it, a stage that starts anew replaces it (MLflow cannot take metrics back).
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import logging
import os
import shlex
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import filelock
import numpy as np
import psutil

from narrows.config import params
from narrows.errors import UserError
from narrows.tracking import provenance

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sqlalchemy import URL

FINGERPRINT = "fingerprint"
TABLES = 7_161_904  # number of PostgreSQL's lock under which tables are made; any would do


@dataclass(frozen=True)
class Data:
    """What a run was given, for MLflow's dataset column."""

    name: str
    digest: str
    """SHA-256 over x.npy and split.npy."""
    shape: tuple[int, ...]
    """(N, ...) of all samples."""


class Run:
    """One MLflow run. This class logs nothing: it stands in where mlflow is not installed."""

    def log_params(self, params: dict[str, Any]) -> None:
        """Nested mappings become dotted keys; cannot be changed afterwards."""

    def log_metrics(self, metrics: dict[str, float], step: int = 0) -> None:
        """All metrics of one step in one request."""

    def log_image(self, key: str, image: np.ndarray, step: int) -> None:
        """A picture, uint8 (H, W, 3), under a key that is the same in every run."""

    def log_file(self, file: Path) -> None:
        """A copy of the file among the run's artifacts."""

    def set_tag(self, key: str, value: str) -> None:
        """A word to filter by."""

    def picture(self, key: str) -> str | None:
        """The address of its latest picture under this key, on MLflow's page."""
        return None

    @property
    def id(self) -> str | None:
        """What `start` takes as the parent of other runs."""
        return None


class MlflowRun(Run):
    def __init__(self, client: MlflowClient, run_id: str, logged: int = 0):
        self.client, self.run_id, self.logged = client, run_id, logged
        """Steps 1 to `logged` are there already: a kill can come between log and checkpoint."""

    def log_params(self, params: dict[str, Any]) -> None:
        from mlflow.entities import Param

        told = flat(params) | ({"depth": depth(params)} if "network" in params else {})
        logged = [Param(key, str(value)) for key, value in told.items()]
        self.client.log_batch(self.run_id, params=logged)

    def log_metrics(self, metrics: dict[str, float], step: int = 0) -> None:
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        if 0 < step <= self.logged:
            return
        now = get_current_time_millis()
        logged = [Metric(key, value, now, step) for key, value in metrics.items()]
        self.client.log_batch(self.run_id, metrics=logged)

    def log_image(self, key: str, image: np.ndarray, step: int) -> None:
        if not 0 < step <= self.logged:
            self.client.log_image(self.run_id, image, key=key, step=step, synchronous=True)

    def log_file(self, file: Path) -> None:
        self.client.log_artifact(self.run_id, str(file))

    def set_tag(self, key: str, value: str) -> None:
        self.client.set_tag(self.run_id, key, value)

    def picture(self, key: str) -> str | None:
        there = [file.path for file in self.client.list_artifacts(self.run_id, "images")]
        found = sorted(f for f in there if f.startswith(f"images/{key}+") and f.endswith(".png"))
        address = f"get-artifact?run_uuid={self.run_id}&path="
        return address + quote(found[-1], "") if found else None

    @property
    def id(self) -> str | None:
        return self.run_id


def root() -> Path:
    """The repository's folder; of the original one inside a temporary workspace of `dvc exp run`,
    which DVC deletes afterwards."""
    here = Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()
    parts = here.parts
    inside = [i for i in range(len(parts) - 2) if parts[i : i + 3] == (".dvc", "tmp", "exps")]
    return Path(*parts[: inside[0]]) if inside else here


def uri() -> str:
    """MLFLOW_TRACKING_URI, else one sqlite store in the repository's mlruns/."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root()}/mlruns/mlflow.db"


@contextlib.contextmanager
def start(
    name: str,
    fingerprint: str,
    data: Data,
    tags: dict[str, str],
    resumes: bool = False,
    parent: str | None = None,
) -> Iterator[Run]:
    """The run of a stage; FINISHED, FAILED or KILLED by the way in which the block ends.

    Args:
        name: shown in the runs table.
        tags: stage and whatever one filters by.
        resumes: go on in the run of this fingerprint; otherwise that run is deleted first.
        parent: id of the run below which the runs table shows this one.
    """
    client = opened()
    if client is None:
        yield Run()
        return
    from mlflow.entities import Dataset, DatasetInput

    experiment = _experiment(client, data.name)
    _sweep(client, experiment)
    found = _find(client, experiment, fingerprint)
    if found is not None and not resumes:
        client.delete_run(found)
        found = None
    logged = 0
    tags = {FINGERPRINT: fingerprint, "dataset": data.name, **tags, **provenance.tags(data.digest)}
    tags |= {} if parent is None else {"mlflow.parentRunId": parent}
    if found is None:
        found = client.create_run(experiment, run_name=name, tags=tags).info.run_id
        schema = json.dumps({"shape": data.shape})
        described = Dataset(data.name, data.digest[:8], "local", data.name, schema=schema)
        with _lock():  # MLflow looks for the row of the data set and then inserts it
            client.log_inputs(found, datasets=[DatasetInput(described)])
        if parent is None and (patch := provenance.uncommitted()):
            client.log_text(found, patch, provenance.PATCH)
    else:
        logged = _last_step(client, found)
        client.update_run(found, status="RUNNING", name=name)
        for key, value in tags.items():
            client.set_tag(found, key, value)
    try:
        yield MlflowRun(client, found, logged)
    except BaseException as error:
        killed = isinstance(error, KeyboardInterrupt | SystemExit)
        client.set_terminated(found, "KILLED" if killed else "FAILED")
        raise
    client.set_terminated(found, "FINISHED")


def again(fingerprint: str, dataset: str) -> Run:
    """The finished run of this fingerprint, to add scores to; logs nothing if it is not there."""
    client = opened()
    if client is None:
        return Run()
    found = _find(client, _experiment(client, dataset), fingerprint)
    return MlflowRun(client, found) if found else Run()


def opened() -> MlflowClient | None:
    """A client of this repository's store; None where mlflow is not installed."""
    return None if importlib.util.find_spec("mlflow") is None else _connect(uri())


@functools.cache
def _connect(store: str) -> MlflowClient:
    """A client of the store, whose tables are made by one process; in WAL mode if it is sqlite.

    Raises:
        UserError: the store does not open. A password is not said.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow
    import sqlalchemy
    from sqlalchemy.exc import SQLAlchemyError

    logging.getLogger("mlflow.store").setLevel(logging.WARNING)  # less "Updating database tables"
    if store.startswith(("http://", "https://")):
        return mlflow.MlflowClient(store)
    url = _parsed(store)
    try:
        file = _sqlite_file(url)
        with _lock():
            if file is not None and not file.exists():
                _make_sqlite(file)
            engine = sqlalchemy.create_engine(url)
            with engine.connect() as connection:  # fails at once, where MLflow would retry
                if file is not None:
                    connection.execute(sqlalchemy.text("PRAGMA journal_mode=WAL"))
                elif url.get_backend_name() == "postgresql":  # held until the connection ends
                    connection.execute(sqlalchemy.text(f"SELECT pg_advisory_lock({TABLES})"))
                client = mlflow.MlflowClient(store)
            engine.dispose()
        return client
    except (SQLAlchemyError, ImportError, OSError, mlflow.MlflowException) as error:
        message = str(error).splitlines()[0].replace(store, "it")
        shown = url.render_as_string(hide_password=True)
        remedy = "" if file is None else _remedy(file)
        raise UserError(f"MLflow's store {shown} does not open: {message}{remedy}") from None


def _parsed(store: str) -> URL:
    import sqlalchemy
    from sqlalchemy.exc import ArgumentError

    try:
        return sqlalchemy.make_url(store)
    except ArgumentError:
        raise UserError(
            f"MLFLOW_TRACKING_URI is {store!r}; accepted are URLs of a database "
            "(sqlite:///..., postgresql+psycopg://...) or of a server (http://...)"
        ) from None


def _sqlite_file(url: URL) -> Path | None:
    """The file of an sqlite store; None for other databases and for one in memory."""
    named = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)).absolute() if named else None


def _make_sqlite(file: Path) -> None:
    """Makes MLflow's tables in a file beside it, which then becomes it: sqlite commits each table
    on its own, so a kill in the two seconds that it takes would leave some of them."""
    import sqlalchemy
    from mlflow.store.db.utils import _initialize_tables

    partial = file.with_name(f"{file.name}.part")
    for left in (partial, partial.with_name(f"{partial.name}-journal")):
        left.unlink(missing_ok=True)
    engine = sqlalchemy.create_engine(f"sqlite:///{partial}")
    _initialize_tables(engine)
    engine.dispose()
    partial.replace(file)


def _remedy(file: Path) -> str:
    """What to do about an sqlite store that is there and does not open."""
    if not file.is_file():
        return ""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        try:
            (n_runs,) = connection.execute("SELECT count(*) FROM runs").fetchone()
        except sqlite3.Error:
            n_runs = 0
    if n_runs == 0:
        return f". It holds no run, so it can be made anew: rm {shlex.quote(str(file))}"
    upgrade = shlex.quote(f"sqlite:///{file}")
    return f". Another version of MLflow may have written it: mlflow db upgrade {upgrade}"


def _lock() -> filelock.BaseFileLock:
    """One process at a time makes tables, experiments and data sets: of all that use this store,
    where it is an sqlite file, and of this folder elsewhere."""
    store = uri()
    file = None if store.startswith("http") else _sqlite_file(_parsed(store))
    beside = root() / "mlruns" / "store" if file is None else file
    beside.parent.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(beside.with_name(f".{beside.name}.lock"))


def _experiment(client: MlflowClient, name: str) -> str:
    """Id of the experiment of a data set, created if it is not there."""
    with _lock():
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        local = (
            None if uri().startswith("http") else (root() / "mlruns" / "artifacts" / name).as_uri()
        )
        return str(client.create_experiment(name, artifact_location=local))


def _find(client: MlflowClient, experiment: str, fingerprint: str) -> str | None:
    runs = client.search_runs([experiment], f"tags.{FINGERPRINT} = '{fingerprint}'", max_results=1)
    return runs[0].info.run_id if runs else None


def _last_step(client: MlflowClient, run_id: str) -> int:
    histories = (client.get_metric_history(run_id, k) for k in client.get_run(run_id).data.metrics)
    return max((point.step for history in histories for point in history), default=0)


def _sweep(client: MlflowClient, experiment: str) -> None:
    """Runs that a kill -9 left RUNNING are KILLED, if their process was on this machine."""
    here = f"tags.host = '{socket.gethostname()}' AND attributes.status = 'RUNNING'"
    for run in client.search_runs([experiment], here):
        pid, started = run.data.tags["process"].split("@")
        try:
            alive = f"{psutil.Process(int(pid)).create_time():.0f}" == started
        except psutil.NoSuchProcess:
            alive = False
        if not alive:
            client.set_terminated(run.info.run_id, "KILLED")


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
    found: dict[str, Any] = {}
    for key, value in params.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix.removesuffix(".") if prefix and key == "name" else prefix + key] = value
    return found
