"""Work that is killed resumes and never resumes the wrong thing; outputs appear whole or not.

Checkpoints live in .work/<stage>/<fingerprint>/, outside DVC's outs (which DVC deletes before a
stage runs). The fingerprint of checkpoints covers the code too: a changed network starts anew.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Container, Iterator, Sized
from pathlib import Path
from typing import Any

import filelock

from narrows.errors import UserError

WORK = Path(".work")


def fingerprint(stage: str, key: str, resolved: Any, digest: str) -> str:
    """Hex name of "this row, with these params, on this data"; equal in every process."""
    told = json.dumps([stage, key, resolved, digest], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def digest(*files: Path) -> str:
    """SHA-256 over the contents of the files, in order."""
    return hashlib.sha256(b"".join(_sha256(file) for file in files)).hexdigest()


def checkpoints(stage: str, fingerprint: str) -> Path:
    """Folder of a stage's unfinished work, tied to the code of the whole package: which of its
    files a training imports is known only when it has run."""
    code = digest(*sorted(Path(__file__).parents[1].rglob("*.py")))
    return WORK / stage / f"{fingerprint}-{code[:16]}"


@contextlib.contextmanager
def output(folder: Path) -> Iterator[Path]:
    """Yields an empty folder that becomes `folder` if the block ends well, replacing an old one.

    Holds a lock meanwhile, because a training that outlived its killed `dvc repro` must not write
    beside the next one.

    Raises:
        UserError: another process is writing this output.
    """
    partial = WORK / "partial" / folder
    partial.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(partial.with_name(partial.name + ".lock"), timeout=0)
    owner = partial.with_name(partial.name + ".pid")
    try:
        lock.acquire()
    except filelock.Timeout:
        pid = owner.read_text() if owner.exists() else "unknown"
        raise UserError(
            f"{folder}: another process (pid {pid}) is writing it; wait for it or end it"
        ) from None
    with lock:
        owner.write_text(str(os.getpid()))
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        yield partial
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(folder)


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """One process of this folder at a time; the others wait."""
    WORK.mkdir(exist_ok=True)
    with filelock.FileLock(WORK / f"{name}.lock"):
        yield


def is_current(told: Path, fingerprint: str) -> bool:
    """Whether the JSON file, where there is one, says that it was made from these inputs."""
    return told.exists() and json.loads(told.read_text())["fingerprint"] == fingerprint


def encoder_stage(key: str, baselines: Container[str], searches: Container[str]) -> str:
    """The DVC stage that makes a row of `baselines` or `autoencoders`, or the winner of a search.

    >>> encoder_stage("small-codes", baselines=["pca"], searches=["small-codes"])
    'train_tuned@small-codes'
    """
    if key in baselines:
        return f"baseline@{key}"
    return f"{'train_tuned' if key in searches else 'train'}@{key}"


def cluster_stage(key: str, is_deep: bool) -> str:
    """The DVC stage that makes a row of `clusterings`, or of `deep_clusterings`.

    >>> cluster_stage("deep-dec", is_deep=True)
    'deep_cluster@deep-dec'
    """
    return f"{'deep_cluster' if is_deep else 'cluster'}@{key}"


def existing(file: Path, stage: str) -> Path:
    """The file itself, which `stage` leaves; raises `UserError` where it is missing."""
    if not file.exists():
        raise UserError(f"{file} is missing; run `dvc repro {stage}`")
    return file


def same_rows(file: Path, found: Sized, x: Sized) -> None:
    """Raises `UserError` where what was found in the file is not of as many samples as x."""
    if len(found) != len(x):
        raise UserError(f"{file} has {len(found)} rows and x.npy has {len(x)}; run `dvc repro`")


def _sha256(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()
