"""SHA-256 of files, read once a process as long as they do not change; large ones once at all."""

from __future__ import annotations

import hashlib
import json
import time
from functools import cache
from pathlib import Path
from typing import Any

from narrows.errors import UserError
from narrows.store import digest_records


def digest(*files: Path) -> str:
    """SHA-256 over the contents of the files, in order; 64 hex digits.

    Raises:
        UserError: a file is missing.
    """
    return hashlib.sha256(b"".join(bytes.fromhex(digest_of(file)) for file in files)).hexdigest()


def name_of(record: Any) -> str:
    """Hex name, 64 digits, of a record of JSON; equal in every process.

    >>> name_of({"a": 1, "b": 2}) == name_of({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def digest_of(file: Path) -> str:
    """SHA-256 of one file's content; raises as `digest` does."""
    try:
        status = file.stat()
    except OSError:
        raise UserError(f"{file} is missing; run `dvc repro`") from None
    return _digest(file, *digest_records.state_of(status))


@cache
def _digest(file: Path, *_: int) -> str:
    began, status = time.time(), file.stat()
    known = digest_records.recall(status)
    if known is not None:
        return known
    with file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    digest_records.record(file, status, began, sha256)
    return sha256
