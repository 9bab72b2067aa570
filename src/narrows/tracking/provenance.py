"""What leads from a run back to the code, the data, the machine and the process that made it."""

import hashlib
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

COMMIT = "mlflow.source.git.commit"
DATA = "data_digest"
PATCH = "uncommitted.patch"  # among a run's artifacts, where the working tree was not the commit
TOLD = ("src", "pipelines", "params.yaml", "dvc.yaml", "dvc.lock")  # what a run depends on


def tags(data_digest: str) -> dict[str, str]:
    """Tags of a run that starts in this process.

    Args:
        data_digest: SHA-256 over x.npy and split.npy.
    """
    process = psutil.Process()
    told = {
        "mlflow.source.name": Path(sys.argv[0]).name,
        "mlflow.source.type": "LOCAL",
        "host": socket.gethostname(),
        "process": f"{process.pid}@{process.create_time():.0f}",
        "python": platform.python_version(),
        DATA: data_digest,
    }
    if commit := git("rev-parse", "HEAD"):
        told[COMMIT] = commit
        told["git_dirty"] = str(bool(git("status", "--porcelain", "--", *_there()))).lower()
    lock = Path("dvc.lock")
    if lock.exists():
        told["dvc_lock"] = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    return told


def uncommitted() -> str:
    """What has to be applied to the commit to get the files of `TOLD`, new ones too; empty where
    nothing has changed, and outside a repository."""
    index = git("rev-parse", "--git-path", "index")
    if not git("rev-parse", "HEAD") or not Path(index).exists():
        return ""
    with tempfile.TemporaryDirectory() as folder:
        # a copy of the index, in which new files are announced: the user's own stays as it is
        env = {"GIT_INDEX_FILE": str(shutil.copy(index, folder))}
        git("add", "--intent-to-add", "--", *_there(), env=env)
        patch = git("diff", "--binary", "HEAD", "--", *_there(), env=env)
    return patch and patch + "\n"


def git(*words: str, env: dict[str, str] | None = None) -> str:
    """What git answers, or nothing outside a repository, without git and where it fails."""
    try:
        done = subprocess.run(
            ["git", *words],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
            env={**os.environ, **(env or {})},
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.removesuffix("\n")


def _there() -> list[str]:
    """Those of `TOLD` that are in this folder, or that git knows to have been."""
    return [name for name in TOLD if Path(name).exists() or git("ls-files", "--", name)]
