"""MLflow and git: what every run was, where it is found again, the champion."""

from narrows.tracking.recording import is_recorded, record, replay, start_run
from narrows.tracking.run import FINGERPRINT, Run, RunData, depth, find_run, flat
from narrows.tracking.store import open_client, root, uri

__all__ = [
    "FINGERPRINT",
    "Run",
    "RunData",
    "depth",
    "find_run",
    "flat",
    "is_recorded",
    "open_client",
    "record",
    "replay",
    "root",
    "start_run",
    "uri",
]
