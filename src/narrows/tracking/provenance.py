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

from narrows.engine import owner
from narrows.errors import mask_passwords

COMMIT = "mlflow.source.git.commit"
DATA = "data_digest"
PATCH = "uncommitted.patch"  # among a run's artifacts, where the working tree was not the commit
NEW = ("*.py", "*.yaml", "*.j2", "*.css", "*.js", "dvc.lock")
"""New files that a patch takes along; notes, keys and data that lie among the code stay here."""
SOURCES = ("src", "pipelines", "params.yaml", "dvc.yaml", "dvc.lock")  # what a run depends on


def tags(data_digest: str) -> dict[str, str]:
    """Tags of a run that starts in this process: MLflow's own, of its user and of what
    MLFLOW_RUN_CONTEXT and plug-ins of MLflow say, and what MLflow does not know. No value holds a
    password.

    Commit, branch and changes are those of the process's first run in this folder: it runs the code
    that it has imported.

    Args:
        data_digest: SHA-256 over x.npy and split.npy.
    """
    own = {
        "mlflow.source.name": Path(sys.argv[0]).name,  # MLflow takes the whole path
        "host": socket.gethostname(),
        "process": owner.this_process(),
        "python": platform.python_version(),
        DATA: data_digest,
    }
    if experiment := os.environ.get("DVC_EXP_NAME"):  # `dvc exp run` sets it
        own["dvc_experiment"] = experiment
    return _context() | own | _sources(Path.cwd())


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
def _context() -> dict[str, str]:
    """What MLflow tags runs with that are started by its own functions.

    Without what it says of git: it asks the repository of the script, which may be that of this
    package, and a run is of the commit of its folder.
    """
    from mlflow.tracking.context import registry
    from mlflow.tracking.context.git_context import GitRunContext

    tags = registry.resolve_tags(ignore=[GitRunContext])  # type: ignore[list-item]
    return {key: mask_passwords(str(value)) for key, value in tags.items()}


@functools.cache
def _sources(folder: Path) -> dict[str, str]:
    """Tags that say which sources a process of the current folder has."""
    sources = {}
    if commit := git("rev-parse", "HEAD"):
        sources[COMMIT] = commit
        if branch := git("branch", "--show-current"):  # none where a commit is checked out
            sources["mlflow.source.git.branch"] = branch
        if remotes := git("remote"):
            url = git("remote", "get-url", remotes.splitlines()[0])
            sources["mlflow.source.git.repoURL"] = mask_passwords(url)
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
