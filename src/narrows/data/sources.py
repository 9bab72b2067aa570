"""Where a dataset's bytes come from: mirrors in order, every file checked by its SHA-256.

Each mirror (mirrors.py has the kinds) is asked for the files that are still missing. What it
sends is written under a temporary name while it is hashed, and renamed into place only if the
hash is right, whoever sent it.
"""

import hashlib
import http.client
import math
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from narrows.errors import UserError, lacks_space, say
from narrows.rendering import progress
from narrows.store.files import atomic_write

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class File:
    """A published file, known by its hash."""

    name: str
    """Name in the raw folder."""
    sha256: str
    """SHA-256 of the file as it lies in the raw folder, in hex."""
    max_bytes: int
    """Reading stops past it: the exact size where it is published, else a bound on it."""


@runtime_checkable
class Readable(Protocol):
    """A stream of bytes, of a file, a connection or an archive's member, packed or not."""

    def read(self, size: int = ..., /) -> bytes: ...


@dataclass(frozen=True)
class Mirror:
    """A place that may send files."""

    name: str
    """Name in messages."""
    open: Callable[[File, Path], AbstractContextManager[Readable]]
    """Opens one file's content; the folder is scratch space, the same for all files of a fetch."""


class Refused(Exception):
    """Why one file was not taken from a mirror; it may still have the others."""


class Unreachable(Refused):
    """Why a mirror can give no file at all."""


# the last three come from cut and corrupt archives
BROKEN = (Refused, OSError, http.client.HTTPException, EOFError, zlib.error, tarfile.TarError)


def fetch(files: Sequence[File], raw_dir: Path, mirrors: Iterable[Mirror]) -> None:
    """Puts `files` into `raw_dir`, each from the first mirror that has it right.

    Files that are there and verified are not fetched again, and `mirrors` is read no further
    than needed.

    Raises:
        UserError: no mirror had some file; lists what each of them said.
    """
    missing = [file for file in files if not _is_verified(file, raw_dir)]
    if not missing:
        return
    raw_dir.mkdir(parents=True, exist_ok=True)
    said: list[str] = []
    for mirror in mirrors:
        missing = _ask(mirror, missing, raw_dir, said)
        if not missing:
            return
    names = ", ".join(file.name for file in missing)
    raise UserError(
        "\n  ".join([f"no mirror gave {names}, wanted in {raw_dir}:", *said])
        + "\nPut them into a folder, as they are or as .gz, and name it in NARROWS_MIRROR."
    )


def require(files: Sequence[File], raw_dir: Path) -> None:
    """Raises `UserError` unless all `files` lie in `raw_dir`, verified."""
    for file in files:
        if not _is_verified(file, raw_dir):
            state = "not the published file" if (raw_dir / file.name).exists() else "missing"
            raise UserError(f"{raw_dir / file.name} is {state}; run the stage fetch again")


def _ask(mirror: Mirror, files: list[File], raw_dir: Path, said: list[str]) -> list[File]:
    """Takes what one mirror has; returns what is still missing, and adds the reasons to `said`."""
    missing: list[File] = []
    with tempfile.TemporaryDirectory(prefix="narrows-") as scratch:
        for i, file in enumerate(files):
            start = time.monotonic()
            try:
                with mirror.open(file, Path(scratch)) as stream:
                    n_bytes = _store(stream, file, raw_dir)
            except Unreachable as why:
                said.append(f"{mirror.name}: {why}")
                say(said[-1])
                return missing + files[i:]
            except BROKEN as why:
                if lacks_space(why):
                    raise
                said.append(f"{mirror.name}: {file.name}: {why}")
                say(said[-1])
                missing.append(file)
            else:
                took_s = time.monotonic() - start
                say(f"{mirror.name}: {file.name}, {n_bytes:,} bytes in {took_s:.1f} s")
    return missing


def _store(stream: Readable, file: File, raw_dir: Path) -> int:
    """Writes the stream beside the file, which it becomes if it is verified; returns its size."""
    digest, n_bytes = hashlib.sha256(), 0
    n_kilobytes = math.ceil(file.max_bytes / 1000)
    with atomic_write(raw_dir / file.name) as partial:
        with progress.part(f"{file.name}, kB", n_kilobytes) as part, partial.open("wb") as sink:
            while chunk := stream.read(CHUNK_BYTES):
                n_bytes += len(chunk)
                if n_bytes > file.max_bytes:
                    raise Refused(f"sent more than the {file.max_bytes:,} bytes of this file")
                digest.update(chunk)
                sink.write(chunk)
                part.n = n_bytes / 1000
        if digest.hexdigest() != file.sha256:
            raise Refused(
                f"sent {n_bytes:,} bytes with SHA-256 {digest.hexdigest()}, not {file.sha256}"
            )
    return n_bytes


def _is_verified(file: File, raw_dir: Path) -> bool:
    path = raw_dir / file.name
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
