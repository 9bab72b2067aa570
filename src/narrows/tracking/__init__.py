"""MLflow and git: what every run was, where it is found again, the champion."""

from narrows.tracking.recording import recorded, replay, start
from narrows.tracking.run import FINGERPRINT, Data, Run, again, depth, flat, opened, root, uri

__all__ = [
    "FINGERPRINT",
    "Data",
    "Run",
    "again",
    "depth",
    "flat",
    "opened",
    "recorded",
    "replay",
    "root",
    "start",
    "uri",
]
