"""The code, params and data of an MLflow run again, in a folder of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from narrows import tracking
from narrows.errors import UserError
from narrows.store.digests import digest
from narrows.tracking import lookup, provenance
from narrows.tracking.tree import Tree

N_NAMED = 5  # missing files that a report names before it counts the others
PARENT = "mlflow.parentRunId"
LOCKS = ("pipelines/dvc.lock", "dvc.lock")

STAGES = {  # of a run's tag: the DVC stage, and the folder of its rows
    "baseline": ("encode", "encoders"),
    "train": ("encode", "encoders"),
    "cluster": ("cluster", "clusterings"),
    "deep_cluster": ("deep_cluster", "deep_clusterings"),
    "search": ("tune", "searches"),
    "trial": ("tune", "searches"),
}


def restore(run: Any, folder: Path) -> list[str]:
    """Fills the new folder, and says what it could not get.

    Args:
        run: result of `lookup.find`.
        folder: must not exist, or be empty.

    Raises:
        UserError: there is no commit to start from; the folder then is as it was.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty; name a new folder")
    tags, short = run.data.tags, run.info.run_id[:8]
    commit = tags.get(provenance.COMMIT)
    if not commit:
        raise UserError(f"run {short} names no commit: it was made outside a git repository")
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        missing = _code(run, commit, partial)
        inside = partial / provenance.git("rev-parse", "--show-prefix")
        missing += _files_of_dvc(inside)
        missing += _other_data(run, inside) + _other_params(run, inside)
        if folder.exists():
            folder.rmdir()
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return missing


def repeat_command(run: Any, folder: Path) -> str:
    """The command that makes the run's result again in a folder of its code: the folder of its row
    goes, and the stage computes what is not there. In a commit in which a row was a stage of its
    own, that stage alone."""
    tags, tree = run.data.tags, Tree(folder)
    kind, key = tags.get("stage", ""), tags.get("search", run.info.run_name)
    if kind == "cluster" and key in (tree.params().get("deep_clusterings") or {}):
        kind = "deep_cluster"
    stage, home = STAGES.get(kind, (kind, ""))
    again = "PYTHONPATH=src dvc repro --single-item --force"
    if not home:
        return f"{again} {stage}"
    if "encode" not in tree.yaml("dvc.yaml")["stages"]:
        is_winner = kind == "train" and key in (tree.params().get("searches") or {})
        own = "train_tuned" if is_winner else "tune" if stage == "tune" else kind
        return f"{again} {own}@{key}"
    return f"rm -rf artifacts/{tags.get('dataset', '')}/{home}/{key} && {again} {stage}"


def _code(run: Any, commit: str, folder: Path) -> list[str]:
    """Checks the commit out, and applies what was not committed."""
    here = provenance.git("rev-parse", "--show-toplevel")
    if not here:
        raise UserError("this folder is in no git repository, so that it has no commits")
    _git(folder, "init", "--quiet")
    allowed = "git -c uploadpack.allowAnySHA1InWant=true upload-pack"
    try:
        _git(folder, "fetch", "--quiet", "--upload-pack", allowed, here, commit)
    except UserError:
        raise UserError(
            f"commit {commit[:10]} of run {run.info.run_id[:8]} is not in this repository; "
            "`git fetch` it from where the run was made"
        ) from None
    _git(folder, "checkout", "--quiet", "--detach", "FETCH_HEAD")
    patch = lookup.artifact(_invocation(run), provenance.PATCH)
    if patch is None:
        changed = run.data.tags.get("git_dirty") == "true"
        lost = f"what was changed since commit {commit[:10]} and not committed: it was not kept"
        return [lost] if changed else []
    file = folder / ".git" / provenance.PATCH
    file.write_bytes(patch)
    try:
        _git(folder, "apply", "--whitespace=nowarn", str(file.resolve()))
    except UserError as error:
        return [f"what was changed since commit {commit[:10]}: the patch does not apply ({error})"]
    return []


def _invocation(run: Any) -> Any:
    """The run itself, or of a trial the search that it belongs to."""
    parent = run.data.tags.get(PARENT)
    return (lookup.find(parent) or run) if parent else run


def _files_of_dvc(folder: Path) -> list[str]:
    """Data and artifacts that DVC's locks name, out of this project's cache."""
    if not (folder / ".dvc").exists() or not (folder / "dvc.lock").exists():
        return ["data and artifacts: the commit has no dvc.lock; `dvc repro` makes them"]
    cache = _dvc(Path.cwd(), "cache", "dir").strip()
    _dvc(folder, "cache", "dir", "--local", cache)
    _dvc(folder, "checkout", "--quiet", "--allow-missing")
    locks = (Tree(folder).yaml(name).get("stages", {}) for name in LOCKS)
    stages = [stage for lock in locks for stage in lock.values()]
    outs = [out["path"] for stage in stages for out in stage.get("outs", [])]
    lost = [path for path in outs if not (folder / path).exists()]
    missing = [f"{path}: not in DVC's cache (`dvc pull`, `dvc repro`)" for path in lost[:N_NAMED]]
    missing += [f"{len(lost) - N_NAMED} more of DVC's outputs"] if len(lost) > N_NAMED else []
    return missing


def _other_data(run: Any, folder: Path) -> list[str]:
    """A sentence, where the data in the folder is not what the run saw."""
    data = folder / "data" / run.data.tags.get("dataset", "")
    files = [data / "x.npy", data / "split.npy"]
    logged = [data_input.dataset.digest for data_input in run.inputs.dataset_inputs]
    seen = run.data.tags.get(provenance.DATA) or (logged[0] if logged else "")
    if not all(file.exists() for file in files):
        return []  # reported already, as missing
    present = digest(*files)
    if seen and present.startswith(seen):
        return []
    return [f"the data that the run saw ({seen[:8] or 'not told'}): what is here is {present[:8]}"]


def _other_params(run: Any, folder: Path) -> list[str]:
    """A sentence for every key of the row that was another one in the run."""
    row = tracking.flat(Tree(folder).row(run.info.run_name))
    return [
        f"{key}: {logged} in the run, {row[key]} in params.yaml of the folder"
        for key, logged in run.data.params.items()
        if key in row and not _same(logged, str(row[key]))
    ]


def _same(logged: str, present: str) -> bool:
    """Whether two values are the same, as numbers where they are numbers.

    >>> _same("12.0", "12"), _same("adam", "sgd")
    (True, False)
    """
    try:
        return float(logged) == float(present)
    except ValueError:
        return logged == present


def _git(folder: Path, *words: str) -> None:
    """Runs git in a folder; raises `UserError` with its last line where it fails."""
    process = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True)
    if process.returncode:
        raise UserError((process.stderr.strip().splitlines() or ["git failed"])[-1])


def _dvc(folder: Path, *words: str) -> str:
    """What DVC prints in a folder; raises `UserError` with its last line where it fails."""
    command = [sys.executable, "-m", "dvc", *words]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if process.returncode:
        raise UserError(
            f"dvc {words[0]}: {(process.stderr.strip().splitlines() or ['failed'])[-1]}"
        )
    return process.stdout
