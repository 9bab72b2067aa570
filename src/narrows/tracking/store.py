"""MLflow's store: where it is, how it is opened, and writes of many processes at once."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import logging
import os
import random
import re
import shlex
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

import filelock

from narrows.errors import UserError, lacks_driver, lacks_space, mask_passwords, sentence
from narrows.store import project
from narrows.tracking import moved

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sqlalchemy import URL

ROOT = "MLFLOW_DEFAULT_ARTIFACT_ROOT"
"""What `mlflow server` reads, too: where databases have the artifacts of new experiments."""
TABLES = 7_161_904  # number of PostgreSQL's lock under which tables are made; any would do
N_TRIES = 4  # of a write; at each MLflow waits up to 20 seconds for sqlite
POLL_S = 0.005  # between two looks at a lock that another process holds

P = ParamSpec("P")
T = TypeVar("T")


def uri() -> str:
    """MLFLOW_TRACKING_URI, else one sqlite store in the repository's mlruns/."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project.root()}/mlruns/mlflow.db"


def open_client() -> MlflowClient | None:
    """A client of this repository's store; None where mlflow is not installed.

    Raises:
        Away: the store does not answer, or takes nothing.
        UserError: the store is no store of this MLflow. A password is not said.
    """
    if not is_installed():
        return None
    return _connect(uri(), os.getpid())  # a fork has to have connections of its own


class Away(UserError):
    """The store does not answer, or takes nothing: nothing is wrong with it as far as one sees."""


def is_installed() -> bool:
    """Whether there is an MLflow to log to."""
    return importlib.util.find_spec("mlflow") is not None


def is_there() -> bool:
    """Whether there is a store to look into: False for an sqlite file that is not written yet."""
    file = None if is_server() else _sqlite_file(_parse(uri()))
    return file is None or file.exists()


def masked() -> str:
    """The store's URL without its password, for messages."""
    return mask_passwords(uri())


def is_server() -> bool:
    """Whether the store is a server of MLflow, which one may have to sign in to."""
    return uri().startswith(("http://", "https://"))


def person() -> str | None:
    """The name under which one signs in to a server; None elsewhere, and where it asks for none."""
    if not (is_server() and is_installed()):
        return None
    from mlflow.utils.credentials import read_mlflow_creds

    return read_mlflow_creds().username or urlsplit(uri()).username


def artifacts(dataset: str) -> str | None:
    """Address of the artifacts of a data set's experiment: below MLFLOW_DEFAULT_ARTIFACT_ROOT, else
    beside the database if it is an sqlite file, else in this project's mlruns/; None where a server
    decides."""
    if is_server():
        return None
    if root := os.environ.get(ROOT):
        return f"{root.rstrip('/')}/{dataset}" if "://" in root else _below(Path(root), dataset)
    file = _sqlite_file(_parse(uri()))
    return _below(
        (project.root() / "mlruns" if file is None else file.parent) / "artifacts", dataset
    )


def _below(folder: Path, dataset: str) -> str:
    return (folder.absolute() / dataset).as_uri()


def errors() -> tuple[type[Exception], ...]:
    """What a call raises that the store does not take."""
    from mlflow import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, OSError


def said(error: BaseException) -> str:
    """The first sentence of what MLflow or its database says, without the store's URL and
    passwords; of a server that cannot be reached, why not; of a disk that is full, which."""
    file = None if uri().startswith("http") else _sqlite_file(_parse(uri()))
    if file and lacks_space(error):
        return sentence(error, file)
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if cause := line.partition("(Caused by ")[2]:
        line = re.split(r": |, ['\"]", cause)[-1].rstrip("\"')")
    return mask_passwords(re.split(r"\.\s", line)[0].replace(uri(), "it"))


@contextlib.contextmanager
def explain_errors() -> Iterator[None]:
    """Makes a sentence of what MLflow raises in a command.

    Raises:
        UserError: the store did not take or did not find something.
    """
    try:
        yield
    except errors() as error:
        raise UserError(f"MLflow's store {masked()} says: {said(error)}") from None


def ask(client: MlflowClient) -> None:
    """Asks the store once, and not for long.

    Raises:
        Away: it does not answer.
        UserError: it answers, and lets nobody in who asks like this.
    """
    try:
        with _short_patience():
            client.search_experiments(max_results=1)
    except errors() as error:
        _refuse_strangers(error)
        raise Away(f"MLflow's store {masked()} does not answer: {said(error)}") from None


def _refuse_strangers(error: BaseException) -> None:
    """Raises `UserError` where a server does not let one in."""
    code, server = getattr(error, "error_code", ""), f"MLflow's server {masked()}"
    if code == "UNAUTHENTICATED":
        who, secret = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
        if name := person():
            raise UserError(
                f"{server} does not let {name!r} in with this password; {who} and {secret} have to "
                "be those of an account there"
            ) from None
        raise UserError(
            f"{server} asks for a name and a password; set {who} and {secret}"
        ) from None
    if code == "PERMISSION_DENIED":
        answer = str(error).partition("Response body: ")[2].strip("'") or said(error)
        raise UserError(f"{server} refuses: {answer}") from None


@contextlib.contextmanager
def _short_patience() -> Iterator[None]:
    """Lets MLflow wait seconds for a server in the block, where it would wait for minutes."""
    with _environment(MLFLOW_HTTP_REQUEST_TIMEOUT="5", MLFLOW_HTTP_REQUEST_MAX_RETRIES="0"):
        yield


@contextlib.contextmanager
def as_default() -> Iterator[None]:
    """Lets parts of MLflow in the block that know no client of ours ask this store."""
    with _environment(MLFLOW_TRACKING_URI=uri()):
        yield


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


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
    file = None if is_server() else _sqlite_file(_parse(uri()))
    place = project.root() / "mlruns" / "store" if file is None else file
    place.parent.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(place.with_name(f".{place.name}.lock"), poll_interval=POLL_S)


@functools.cache
def _connect(store: str, pid: int) -> MlflowClient:
    """A client of the store, whose tables are made by one process; in WAL mode if it is sqlite."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # at the end of a run
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")  # of 120 s, tried 7 times
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    import mlflow

    logging.getLogger("mlflow.store").setLevel(logging.WARNING)  # less "Updating database tables"
    # its traceback of each error comes before we have tried again; the error itself is raised
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    if is_server():
        client = mlflow.MlflowClient(store)
        ask(client)
        return client
    url = _parse(store)
    _refuse_letters(mlflow.__file__)
    file = _sqlite_file(url)
    problems: tuple[type[Exception], ...] = (*errors(), ImportError)
    try:
        with lock():
            return _open(mlflow, store, url, file)
    except problems as error:
        if advice := lacks_driver(error, store):
            raise UserError(f"MLflow's store {masked()} does not open: {advice}") from None
        message = f"MLflow's store {masked()} does not open: {said(error)}"
        if _is_away(error):
            raise Away(message) from None
        remedy = f". Perhaps: mlflow db upgrade {masked()}" if file is None else _remedy(file)
        raise UserError(message.removesuffix(".") + remedy) from None


def _open(mlflow: Any, store: str, url: URL, file: Path | None) -> MlflowClient:
    """Opens a database, made where it is an sqlite file that is not there; raises as that does."""
    import sqlalchemy

    journal = "WAL"
    if file is not None:
        if project.network_file_system(file.parent):
            journal = "DELETE"
        if not file.exists():
            project.warn_of_network(file, "MLFLOW_TRACKING_URI")
            _make_sqlite(file)
        _commit_without_sync(file)
    is_server = url.get_backend_name() in ("postgresql", "mysql")
    limit = {"connect_timeout": 5} if is_server else {}
    engine = sqlalchemy.create_engine(url, connect_args=limit)
    with engine.connect() as connection:  # fails at once, where MLflow would retry
        if file is not None:
            connection.execute(sqlalchemy.text(f"PRAGMA journal_mode={journal}"))
        elif url.get_backend_name() == "postgresql":  # held until the connection ends
            connection.execute(sqlalchemy.text(f"SELECT pg_advisory_lock({TABLES})"))
        client: MlflowClient = mlflow.MlflowClient(store)
    if file == project.root() / "mlruns" / "mlflow.db":
        with engine.begin() as connection:
            moved.bring_home(connection, f"{file.parent.as_uri()}/artifacts/")
    engine.dispose()
    return client


def _is_away(error: BaseException) -> bool:
    """Whether nothing is wrong with the store itself, as far as an error on opening it tells."""
    from sqlalchemy.exc import InterfaceError, OperationalError

    half_made = re.search("no such|already exists|duplicate column", str(error))
    return isinstance(error, OSError | OperationalError | InterfaceError) and not half_made


def _refuse_letters(package: str) -> None:
    """Raises `UserError` where MLflow cannot work because of a letter in a folder's name."""
    if "%" in package:
        raise UserError(
            f"MLflow does not work in a folder with % in its name, and it is installed in "
            f"{Path(package).parent}; rename the folder, then `rm -r .venv && make`"
        )
    if "?" in str(project.root()) and not os.environ.get("MLFLOW_TRACKING_URI"):
        raise UserError(
            f"the URL of MLflow's store cannot hold the ? of {project.root()}; rename the folder, "
            "or name another store in MLFLOW_TRACKING_URI"
        )


def _parse(store: str) -> URL:
    import sqlalchemy
    from sqlalchemy.exc import ArgumentError

    try:
        return sqlalchemy.make_url(store)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
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
    some of them. The address of artifacts is one without quotes: MLflow writes that of its own
    experiment into a command as it is.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    partial = file.with_name(f"{file.name}.part")
    for old in (partial, partial.with_name(f"{partial.name}-journal")):
        old.unlink(missing_ok=True)
    database = SqlAlchemyStore(f"sqlite:///{partial}", f"{file.parent.as_uri()}/artifacts")
    database.engine.dispose()
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
    name = shlex.quote(str(file))
    query = "SELECT count(*), (SELECT version_num FROM alembic_version) FROM runs"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        try:
            n_runs, version = connection.execute(query).fetchone()
        except sqlite3.OperationalError:  # a table is missing
            n_runs = 0
        except sqlite3.DatabaseError:
            return f". It is no database, or damaged; a new one is made after: mv {name} {name}.old"
    if n_runs == 0:
        return f". It holds no run, so it can be made anew: rm {name}"
    if not _knows(version):
        return ". A newer MLflow has written it: pip install --upgrade mlflow"
    upgrade = shlex.quote(f"sqlite:///{file}")
    return f". Another version of MLflow may have written it: mlflow db upgrade {upgrade}"


def _knows(version: str) -> bool:
    """Whether the installed MLflow has a step to or from this version of its tables."""
    import mlflow

    steps = Path(mlflow.__file__).parent / "store/db_migrations/versions"
    return any(file.name.startswith(f"{version}_") for file in steps.glob("*.py"))
