"""MLflow and git: what every run was, where it is found again, the champion."""

from narrows.tracking.recording import (
    amend_run,
    is_recorded,
    log_what_waits,
    record,
    replay,
    start_run,
)
from narrows.tracking.run import FINGERPRINT, Epoch, Run, RunData, depth, find_run, flat
from narrows.tracking.store import explain_errors, is_there, open_client, uri

__all__ = [
    "FINGERPRINT",
    "Epoch",
    "Run",
    "RunData",
    "amend_run",
    "depth",
    "explain_errors",
    "find_run",
    "flat",
    "is_recorded",
    "is_there",
    "log_what_waits",
    "open_client",
    "record",
    "replay",
    "start_run",
    "uri",
]
