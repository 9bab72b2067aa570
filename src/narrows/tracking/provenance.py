"""What leads from a run back to the code, the data, the machine and the process that made it."""

import functools
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
NEW = ("*.py", "*.yaml", "*.j2", "*.css", "*.js", "dvc.lock")
"""New files that a patch takes along; notes, keys and data that lie among the code stay here."""
SOURCES = ("src", "pipelines", "params.yaml", "dvc.yaml", "dvc.lock")  # what a run depends on


def tags(data_digest: str) -> dict[str, str]:
    """Tags of a run that starts in this process.

    Commit and changes are those of the process's first run in this folder: it runs the code that
    it has imported.

    Args:
        data_digest: SHA-256 over x.npy and split.npy.
    """
    process = psutil.Process()
    own = {
        "mlflow.source.name": Path(sys.argv[0]).name,
        "mlflow.source.type": "LOCAL",
        "host": socket.gethostname(),
        "process": f"{process.pid}@{process.create_time():.0f}",
        "python": platform.python_version(),
        DATA: data_digest,
    }
    return own | _sources(Path.cwd())


def uncommitted() -> str:
    """What has to be applied to the commit to get the files of `SOURCES`, new ones of `NEW` too;
    empty where nothing has changed, and outside a repository."""
    return _patch(Path.cwd())


def git(*words: str, env: dict[str, str] | None = None) -> str:
    """What git answers, or nothing outside a repository, without git and where it fails."""
    try:
        answer = subprocess.run(
            ["git", *words],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
            env={**os.environ, **(env or {})},
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.removesuffix("\n")


@functools.cache
def _sources(folder: Path) -> dict[str, str]:
    """Tags that say which sources a process of the current folder has."""
    sources = {}
    if commit := git("rev-parse", "HEAD"):
        sources[COMMIT] = commit
        sources["git_dirty"] = str(bool(git("status", "--porcelain", "--", *_known()))).lower()
    lock = Path("dvc.lock")
    if lock.exists():
        sources["dvc_lock"] = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    return sources


@functools.cache
def _patch(folder: Path) -> str:
    """The patch of `uncommitted` for the current folder."""
    index = git("rev-parse", "--git-path", "index")
    if _sources(folder).get("git_dirty") != "true" or not Path(index).exists():
        return ""
    with tempfile.TemporaryDirectory() as temporary:
        # a copy of the index, in which new files are announced: the user's own stays as it is
        env = {"GIT_INDEX_FILE": str(shutil.copy(index, temporary))}
        others = git("ls-files", "--others", "--exclude-standard", "-z", "--", *_known())
        names = [name for name in others.split("\0") if any(Path(name).match(p) for p in NEW)]
        if names:
            git("add", "--intent-to-add", "--", *names, env=env)
        patch = git("diff", "--binary", "HEAD", "--", *_known(), env=env)
    return patch and patch + "\n"


def _known() -> list[str]:
    """Those of `SOURCES` that are in this folder, or that git knows to have been."""
    return [name for name in SOURCES if Path(name).exists() or git("ls-files", "--", name)]
