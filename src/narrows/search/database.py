"""Databases of Optuna's studies: opened, waited for while they are away, their errors explained."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import psutil
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
from narrows.errors import UserError, mask_passwords
from narrows.store import outputs

warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
optuna.logging.set_verbosity(optuna.logging.ERROR)  # how a trial failed stands in its run

PROCESS = "process"  # user attribute of a trial: its number, its machine and its process
MAX_RETRIES = 10
retry = RetryHeartbeatStaleTrialCallback(MAX_RETRIES, inherit_intermediate_values=True)
"""Puts a failed trial into its study's queue again, with what it has reported to the pruner."""


def url() -> str:
    """URL of the database of studies: NARROWS_STUDIES, else one sqlite file in studies/."""
    return os.environ.get("NARROWS_STUDIES") or "sqlite:///studies/studies.db"


def share_url() -> None:
    """Lets workers understand the URL where the engine puts them: an sqlite file has its full path.

    Raises:
        UserError: the studies are in a file of this machine, and workers run on others.
    """
    parsed = _parse(url())
    if engine.name() == engine.HERE or parsed.get_backend_name() != "sqlite" or not parsed.database:
        return
    if engine.is_elsewhere():
        raise UserError(
            f"NARROWS_ENGINE is {engine.name()}, and other machines do not reach {url()}; name a "
            "database in NARROWS_STUDIES, like postgresql+psycopg://user:password@host/name"
        )
    file = Path(parsed.database).resolve()
    os.environ["NARROWS_STUDIES"] = parsed.set(database=str(file)).render_as_string(False)


def grace_period(heartbeat: int) -> int:
    """Seconds without a sign of life after which a running trial counts as dead.

    Args:
        heartbeat: seconds between two signs of life.
    """
    return 3 * heartbeat


def mark(trial: optuna.Trial) -> None:
    """Writes into a trial which process runs it, so that others on its machine see when it dies."""
    process = psutil.Process()
    owner = f"{socket.gethostname()} {process.pid}@{process.create_time():.0f}"
    trial.set_user_attr(PROCESS, f"{trial.number} {owner}")


def is_abandoned(trial: FrozenTrial) -> bool:
    """Whether the process that runs a trial has died, as far as this machine can say.

    The mark that a repeated trial has inherited names another number and says nothing.
    """
    mark = re.fullmatch(r"(\d+) (\S+) (\d+)@(\d+)", str(trial.user_attrs.get(PROCESS, "")))
    if mark is None or (int(mark[1]), mark[2]) != (trial.number, socket.gethostname()):
        return False
    try:
        return f"{psutil.Process(int(mark[3])).create_time():.0f}" != mark[4]
    except psutil.NoSuchProcess:
        return True


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
    parsed = _parse(url)
    try:
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        with explain_errors(url):
            storage = _connect(url, heartbeat, patience)
    except (ImportError, OSError) as error:
        raise _refusal(url, "does not open", error) from None
    except RuntimeError as error:  # Optuna's, about tables of another version or of MLflow
        raise _refusal(url, "holds tables of something else", error) from None
    if parsed.get_backend_name() != "sqlite":
        _wait_for_server(storage, grace_period(heartbeat))
    return storage


@contextlib.contextmanager
def explain_errors(url: str) -> Iterator[None]:
    """Makes a sentence of what a database says when it is unreachable, full or locked.

    Raises:
        UserError: the database said so. The message holds no password.
    """
    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise _refusal(url, "does not answer", error.__cause__ or error) from None


def _connect(url: str, heartbeat: int, patience: int) -> Storage:
    deadline, n_attempts = time.monotonic() + patience, 3
    while True:
        try:
            with outputs.lock("studies"):  # two processes at once would make the same tables
                return Storage(
                    url,
                    engine_kwargs={"pool_pre_ping": True},  # a server that restarted is noticed
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
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    message = mask_passwords(first_line.replace(url, "it"))
    return UserError(f"the storage of studies {mask_passwords(url)} {what}: {message}")
