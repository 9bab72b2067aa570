"""Pictures and files of runs: whether this machine reaches the place where they lie.

A database has runs only; their files lie in a folder or in a store like S3, which each machine
reaches by itself. A server of MLflow passes them on.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from narrows.errors import UserError, mask_passwords, say
from narrows.tracking import marks, store

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOWHERE = "no-files"
"""Mark of processes that said that files are left out."""


def make(location: str) -> None:
    """Makes the folder of a new experiment: one that is missing later is another machine's."""
    if folder := _folder(location):
        folder.mkdir(parents=True, exist_ok=True)


@functools.cache
def is_reached(client: MlflowClient, experiment: str) -> bool:
    """Whether this machine writes the files of an experiment's runs; where it does not, it says so.

    Raises:
        UserError: a library is missing by which they are reached.
        Away: a store like S3 does not answer.
    """
    place = client.get_experiment(experiment)
    if missing := unreached(place.artifact_location, os.W_OK):
        if not marks.is_recent(NOWHERE):
            marks.leave(NOWHERE)
            say(f"MLflow gets no pictures and files from here: those of {place.name} {missing}")
        return False
    if not place.artifact_location.startswith(("file:", "/")):
        _ask(place.artifact_location)
    return True


def _ask(location: str) -> None:
    """Asks a store like S3, or the server before it, once."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    try:
        with explained():
            repository = get_artifact_repository(location, tracking_uri=store.uri())
            repository.list_artifacts("nothing")
    except store.errors() as error:
        raise store.Away(
            f"MLflow's pictures and files in {location} are not reached: {store.said(error)}"
        ) from None


def unreached(location: str, access: int = os.R_OK) -> str | None:
    """Where files lie that are not on this machine, as the end of a sentence; None if they are, and
    of what is no folder.

    Args:
        access: what one wants to do in the folder, as `os.access` takes it.
    """
    folder = _folder(location)
    if folder is None or os.access(folder, access):
        return None
    lacks = "may not use" if folder.exists() else "does not have"
    return (
        f"lie in {folder}, which this machine {lacks}; let all machines share that folder, or "
        f"begin a new database with {store.ROOT} set"
    )


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Makes one of MLflow's errors of what the libraries of stores like S3 raise in the block.

    Raises:
        UserError: such a library is missing.
        MlflowException: something else is wrong.
    """
    from mlflow import MlflowException

    understood: tuple[type[Exception], ...] = (*store.errors(), UserError)
    try:
        yield
    except understood:
        raise
    except ImportError as error:
        raise UserError(
            f"pictures and files of MLflow's store {store.masked()} lie where {error.name} is "
            f"needed: pip install {error.name}"
        ) from None
    except Exception as error:  # each of those libraries has errors of its own
        raise MlflowException(mask_passwords(f"{type(error).__name__}: {error}")) from error


def _folder(location: str) -> Path | None:
    """The folder of a database's experiment, as other machines may have made it; None of an address
    of another kind, and of an sqlite file, beside which the folder is made when it is needed."""
    from mlflow.utils.file_utils import local_file_uri_to_path

    if store.uri().startswith("sqlite") or not location.startswith(("file:", "/")):
        return None
    return Path(local_file_uri_to_path(location))
