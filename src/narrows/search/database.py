"""Databases of Optuna's studies: opened, waited for while they are away, their errors explained."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import socket
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import optuna
import sqlalchemy
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import (
    ArgumentError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from narrows import engine
from narrows.engine import owner
from narrows.errors import UserError, lacks_driver, lacks_space, mask_passwords, sentence
from narrows.store import outputs, project

warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
optuna.logging.set_verbosity(optuna.logging.ERROR)  # how a trial failed stands in its run

PROCESS = "process"  # user attribute of a trial: its number, its machine and its process
RUN = "run"  # and what its MLflow run is found by; a trial that retries another one inherits it
ERRORS = (SQLAlchemyError, optuna.exceptions.StorageInternalError)
"""What a database raises that is unreachable, full or locked, or that broke off."""
T = TypeVar("T")
MAX_RETRIES = 10
retry = RetryHeartbeatStaleTrialCallback(MAX_RETRIES, inherit_intermediate_values=True)
"""Puts a failed trial into its study's queue again, with what it has reported to the pruner."""


def url() -> str:
    """URL of the database of studies: NARROWS_STUDIES, else one sqlite file in studies/; of the
    project itself where this is a copy of it for an experiment."""
    named = os.environ.get("NARROWS_STUDIES") or f"sqlite:///{project.STUDIES}"
    return _with_full_path(named) if project.is_copy() else named


def share_url() -> None:
    """Lets workers understand the URL where the engine puts them: an sqlite file has its full path.

    Raises:
        UserError: the studies are in a file of this machine, and workers run on others.
    """
    if engine.name() == engine.HERE or sqlite_file(url()) is None:
        return
    if engine.is_elsewhere():
        raise UserError(
            f"NARROWS_ENGINE is {engine.name()}, and other machines do not reach {url()}; name a "
            "database in NARROWS_STUDIES, like postgresql+psycopg://user:password@host/name"
        )
    os.environ["NARROWS_STUDIES"] = _with_full_path(url())


def sqlite_file(url: str) -> Path | None:
    """The file of an sqlite database; None for other databases and for one in memory."""
    parsed = _parse(url)
    named = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    return project.root() / str(parsed.database) if named else None


def _with_full_path(url: str) -> str:
    """The same URL; an sqlite file that is named relative to the project has its full path."""
    file = sqlite_file(url)
    if file is None:
        return url
    if "?" in str(file):
        raise UserError(f"a URL cannot hold the ? of {file}; rename the folder")
    return _parse(url).set(database=str(file)).render_as_string(False)


def grace_period(heartbeat: int) -> int:
    """Seconds without a sign of life after which a running trial counts as dead.

    Args:
        heartbeat: seconds between two signs of life.
    """
    return 3 * heartbeat


def mark(trial: optuna.Trial) -> None:
    """Writes into a trial which process runs it, so that others on its machine see when it dies."""
    trial.set_user_attr(PROCESS, f"{trial.number} {socket.gethostname()} {owner.this_process()}")


def run_of(trial: optuna.Trial) -> tuple[str, bool]:
    """What the trial's MLflow run is found by, and whether the trial goes on in that of another.

    It is kept in the trial: another study may have the same name and numbers, for instance where
    somebody began anew with an empty database.
    """
    if known := trial.user_attrs.get(RUN):
        return str(known), True
    trial.set_user_attr(RUN, uuid.uuid4().hex)
    return str(trial.user_attrs[RUN]), False


def is_abandoned(trial: FrozenTrial) -> bool:
    """Whether the process that runs a trial has died, as far as this machine can say.

    The mark that a repeated trial has inherited names another number and says nothing.
    """
    mark = re.fullmatch(r"(\d+) (\S+) (\S+)", str(trial.user_attrs.get(PROCESS, "")))
    if mark is None or (int(mark[1]), mark[2]) != (trial.number, socket.gethostname()):
        return False
    return owner.has_ended(mark[3])


class Storage(RDBStorage):
    """Optuna's database, which also notices trials whose workers died before their first sign of
    life, and at once those whose workers died on this machine; Optuna looks only at trials that
    have given a sign, and waits for the next ones."""

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        silent_since = datetime.now() - timedelta(seconds=self.grace_period or 0)
        running = self.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,))
        old = {t._trial_id for t in running if t.datetime_start and t.datetime_start < silent_since}
        silent = sorted(old - self._ids_with_heartbeat()) if old else []
        abandoned = [t._trial_id for t in running if is_abandoned(t)]
        stale = super()._get_stale_trial_ids(study_id)
        return list(dict.fromkeys([*stale, *silent, *abandoned]))

    def record_heartbeat(self, trial_id: int) -> None:
        """Gives a sign of life; the next one makes up for one that the database misses."""
        with contextlib.suppress(*ERRORS):
            super().record_heartbeat(trial_id)

    def _ids_with_heartbeat(self) -> set[int]:
        with self.engine.connect() as connection:
            rows = connection.execute(sqlalchemy.text("SELECT trial_id FROM trial_heartbeats"))
            return {trial_id for (trial_id,) in rows}


def open_storage(url: str, heartbeat: int = 60, patience: int = 0) -> Storage:
    """Opens the database of studies and makes its tables where they are missing.

    Once it is open, a server that is away is waited for, up to the grace period.

    Args:
        url: sqlite:///... or postgresql+psycopg://...
        heartbeat: seconds between two signs of life of a running trial.
        patience: seconds to wait for a server that is away already.

    Raises:
        UserError: the database does not open. The message holds no password.
    """
    file = sqlite_file(url)
    try:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                project.warn_of_network(file, "NARROWS_STUDIES")
        with explain_errors(url):
            storage = _connect(url, heartbeat, patience)
    except (ImportError, OSError) as error:
        raise _refusal(url, "does not open", error) from None
    except RuntimeError as error:  # Optuna's, about tables of another version or of MLflow
        raise _other_tables(url, error) from None
    if file is None:
        _wait_for_server(storage, grace_period(heartbeat))
    return storage


def twice(call: Callable[[], T]) -> T:
    """Asks the database, and again where it broke off: its next connection is a new one, which is
    waited for."""
    try:
        return call()
    except ERRORS:
        return call()


@contextlib.contextmanager
def explain_errors(url: str) -> Iterator[None]:
    """Makes a sentence of what a database says when it is unreachable, full or locked.

    Raises:
        UserError: the database said so. The message holds no password.
    """
    try:
        yield
    except ERRORS as error:
        raise _refusal(url, "does not answer", error.__cause__ or error) from None


def _connect(url: str, heartbeat: int, patience: int) -> Storage:
    """A storage; a server that restarts later is noticed (`pool_pre_ping`)."""
    is_server = _parse(url).get_backend_name() in ("postgresql", "mysql")
    limit = {"connect_timeout": 10} if is_server else {}  # where no packet comes back
    deadline, n_attempts = time.monotonic() + patience, 3
    while True:
        try:
            with outputs.lock("studies"):  # two processes at once would make the same tables
                return Storage(
                    url,
                    engine_kwargs={"pool_pre_ping": True, "connect_args": limit},
                    heartbeat_interval=heartbeat,
                    grace_period=grace_period(heartbeat),
                    heartbeat_stale_trial_callback=retry,
                )
        except (IntegrityError, ProgrammingError):
            # another machine may be making the same tables: a second later they are there
            n_attempts -= 1
            if n_attempts == 0:
                raise
        except OperationalError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(1)


def _wait_for_server(storage: Storage, patience: int) -> None:
    """From now on, connecting tries again for `patience` seconds before it fails.

    Connections that broke are noticed when they are next used (`pool_pre_ping`) and made anew here.
    """

    def connect(dialect: Any, _: Any, args: Any, options: Any) -> Any:
        deadline = time.monotonic() + patience
        while True:
            try:
                return dialect.connect(*args, **options)
            except dialect.loaded_dbapi.OperationalError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(1)

    sqlalchemy.event.listen(storage.engine, "do_connect", connect)


def _parse(url: str) -> sqlalchemy.URL:
    try:
        return sqlalchemy.make_url(url)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        raise UserError(
            f"the storage of studies is {mask_passwords(url)!r}; accepted are URLs of a database, "
            "sqlite:///studies/studies.db or postgresql+psycopg://user:password@host/name"
        ) from None


def _refusal(url: str, what: str, error: BaseException) -> UserError:
    file = sqlite_file(url)
    text = sentence(error, file) if file and lacks_space(error) else str(error)
    text = lacks_driver(error, url) or text
    first_line = (text.splitlines() or [type(error).__name__])[0]
    message = mask_passwords(first_line.replace(url, "it"))
    return UserError(f"the storage of studies {mask_passwords(url)} {what}: {message}")


def _other_tables(url: str, error: RuntimeError) -> UserError:
    """Tables of an older Optuna, which its own command brings up to date, or of something else."""
    if "optuna storage upgrade" not in str(error):
        return _refusal(url, "holds tables of something else", error)
    named = mask_passwords(url)
    return UserError(
        f"the storage of studies {named} was written by an older Optuna; back it up, then: "
        f"optuna storage upgrade --storage {shlex.quote(named)}"
    )
