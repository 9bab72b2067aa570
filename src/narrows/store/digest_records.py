"""SHA-256 of large files in .work/digests, so that not every process reads all of their bytes.

A record holds for as long as the file system says that nothing was written to the file: device,
inode, size, and the times of the last change of its content and of its inode. The last cannot be
set by hand, so that a copy that keeps the older time does not pass for the original.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from narrows.store.outputs import WORK

FOLDER = WORK / "digests"
SMALLEST = 2**26
"""Bytes of a file from which a record is worth it: fewer are read in a few hundredths of a
second."""
SETTLED_S = 3.0
"""Seconds since the last write after which a digest is recorded. Times of some file systems go by
two seconds: what is written within the same step leaves no other time."""


def state_of(status: os.stat_result) -> list[int]:
    """What changes when a file is written to."""
    times = (status.st_mtime_ns, status.st_ctime_ns)
    return [status.st_dev, status.st_ino, status.st_size, *times]


def recall(status: os.stat_result) -> str | None:
    """The SHA-256 of a file in this state, 64 hex digits; None where there is no record."""
    if status.st_size < SMALLEST:
        return None
    try:
        record = json.loads(_place(status).read_text(encoding="utf-8"))
        return str(record["sha256"]) if record["state"] == state_of(status) else None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def record(file: Path, status: os.stat_result, began: float, sha256: str) -> None:
    """Notes the SHA-256 of a file, if nobody can have written to it while it was read.

    Args:
        status: as it was before the first byte was read.
        began: seconds since 1970 at which that was.
    """
    written = max(status.st_mtime, status.st_ctime)
    if status.st_size < SMALLEST or began - written < SETTLED_S:
        return
    place = _place(status)
    partial = place.with_name(f".{place.name}.{os.getpid()}.part")  # workers record at once
    with contextlib.suppress(OSError):  # without a record the bytes are read again
        if state_of(file.stat()) != state_of(status):
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        content = {"state": state_of(status), "sha256": sha256}
        partial.write_text(json.dumps(content) + "\n", encoding="utf-8")
        partial.replace(place)


def _place(status: os.stat_result) -> Path:
    return FOLDER / f"{status.st_dev}-{status.st_ino}.json"
