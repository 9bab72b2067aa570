"""MLflow and git: what every run was, where it is found again, the champion."""

from narrows.tracking.run import (
    FINGERPRINT,
    Data,
    Run,
    again,
    depth,
    flat,
    opened,
    root,
    start,
    uri,
)

__all__ = ["FINGERPRINT", "Data", "Run", "again", "depth", "flat", "opened", "root", "start", "uri"]
