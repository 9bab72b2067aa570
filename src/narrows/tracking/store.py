"""MLflow's store: where it is, how it is opened, and writes of many processes at once."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import logging
import os
import random
import shlex
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import filelock

from narrows.errors import UserError, mask_passwords

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sqlalchemy import URL

TABLES = 7_161_904  # number of PostgreSQL's lock under which tables are made; any would do
N_TRIES = 10  # of a write; at each MLflow waits up to 20 seconds for sqlite
POLL_S = 0.005  # between two looks at a lock that another process holds

P = ParamSpec("P")
T = TypeVar("T")


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


def open_client() -> MlflowClient | None:
    """A client of this repository's store; None where mlflow is not installed.

    Raises:
        UserError: the store does not open. A password is not said.
    """
    if importlib.util.find_spec("mlflow") is None:
        return None
    return _connect(uri(), os.getpid())  # a fork has to have connections of its own


def write(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls a client's method that writes; again, while other processes keep the database busy.

    Raises:
        MlflowException: the database was busy for minutes, or something else is wrong.
    """
    from mlflow import MlflowException

    for n_left in reversed(range(N_TRIES)):
        try:
            return call(*args, **kwargs)
        except MlflowException as error:
            if not (n_left and "is locked" in str(error)):  # "database is locked", says sqlite
                raise
        time.sleep(random.uniform(0, 1))  # not all at the same moment
    raise AssertionError


def lock() -> filelock.BaseFileLock:
    """Lock under which one process at a time makes tables, experiments and data sets.

    It is shared by all that use this store where that is an sqlite file, and by the processes of
    this folder elsewhere.
    """
    store = uri()
    file = None if store.startswith("http") else _sqlite_file(_parse(store))
    place = root() / "mlruns" / "store" if file is None else file
    place.parent.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(place.with_name(f".{place.name}.lock"), poll_interval=POLL_S)


@functools.cache
def _connect(store: str, pid: int) -> MlflowClient:
    """A client of the store, whose tables are made by one process; in WAL mode if it is sqlite."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow
    import sqlalchemy
    from sqlalchemy.exc import SQLAlchemyError

    logging.getLogger("mlflow.store").setLevel(logging.WARNING)  # less "Updating database tables"
    # its traceback of each error comes before we have tried again; the error itself is raised
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    if store.startswith(("http://", "https://")):
        return mlflow.MlflowClient(store)
    url = _parse(store)
    try:
        file = _sqlite_file(url)
        with lock():
            if file is not None:
                if not file.exists():
                    _make_sqlite(file)
                _commit_without_sync(file)
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
        message = mask_passwords(str(error).splitlines()[0].replace(store, "it"))
        masked = mask_passwords(store)
        remedy = "" if file is None else _remedy(file)
        raise UserError(f"MLflow's store {masked} does not open: {message}{remedy}") from None


def _parse(store: str) -> URL:
    import sqlalchemy
    from sqlalchemy.exc import ArgumentError

    try:
        return sqlalchemy.make_url(store)
    except ArgumentError:
        raise UserError(
            f"MLFLOW_TRACKING_URI is {mask_passwords(store)!r}; accepted are URLs of a database "
            "(sqlite:///..., postgresql+psycopg://...) or of a server (http://...)"
        ) from None


def _sqlite_file(url: URL) -> Path | None:
    """The file of an sqlite store; None for other databases and for one in memory."""
    named = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)).absolute() if named else None


def _make_sqlite(file: Path) -> None:
    """Makes MLflow's tables in a file beside it, which then becomes it.

    sqlite commits each table on its own, so a kill in the two seconds that it takes would leave
    some of them.
    """
    import sqlalchemy
    from mlflow.store.db.utils import _initialize_tables

    partial = file.with_name(f"{file.name}.part")
    for old in (partial, partial.with_name(f"{partial.name}-journal")):
        old.unlink(missing_ok=True)
    engine = sqlalchemy.create_engine(f"sqlite:///{partial}")
    _initialize_tables(engine)
    engine.dispose()
    partial.replace(file)


def _commit_without_sync(file: Path) -> None:
    """Lets all new connections to the file commit without waiting for the disk.

    MLflow commits some twenty times a run. In WAL mode a kill then loses nothing; a power cut may
    lose the last commits, and the database stays whole (sqlite.org/pragma.html#pragma_synchronous).
    """
    import sqlalchemy

    def relax(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            for _, _, path in connection.execute("PRAGMA database_list"):
                if path and Path(path) == file.resolve():
                    connection.execute("PRAGMA synchronous=NORMAL")

    sqlalchemy.event.listen(sqlalchemy.Pool, "connect", relax)  # MLflow makes engines of its own


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
