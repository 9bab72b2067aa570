"""MLflow and git: what every run was, where it is found again, the champion."""

from narrows.tracking.recording import recorded, replay, start
from narrows.tracking.run import Data, Run, again, depth, flat, opened, root, uri

__all__ = [
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
