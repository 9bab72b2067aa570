"""A folder of data as a project of its own: the pipeline, an example's rows, and nothing shared.

It lies in .work/projects/ and is run by DVC as any other, so that a second run repeats only what
changed. The params.yaml, artifacts and results of the project around it stay as they are.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from narrows.config import inheritance
from narrows.errors import UserError

PROJECTS = Path(".work/projects")
COPIED = (".dvcignore", "dvc.yaml")


def make(example: str, data: Path, row: str | None = None) -> Path:
    """The project's folder, with the rows of examples/<example>.yaml and `data` as dataset.path.

    Args:
        row: the one clustering to make, with the encoders that it needs; None makes all.

    Raises:
        UserError: no such data, or no project's pipeline to take.
    """
    if not data.is_dir():
        raise UserError(f"{data} is no folder")
    root = _root(example)
    place = data.resolve()
    name = re.sub(r"[^a-z0-9]+", "-", place.name.lower()).strip("-")[:40] or "data"
    digest = hashlib.sha256(os.fsencode(place)).hexdigest()[:8]
    folder = PROJECTS.resolve() / f"{name}-{digest}"
    pipelines = folder / "pipelines"
    if pipelines.is_symlink():  # to the folder itself, as it was before fetch had its own dvc.yaml
        pipelines.unlink()
    pipelines.mkdir(parents=True, exist_ok=True)
    for shared in (root / "src", *(root / "pipelines").glob("*.py")):
        link = folder / shared.relative_to(root)
        if not link.exists():
            link.unlink(missing_ok=True)  # one that leads to a checkout that has moved
            link.symlink_to(shared)
    for file in COPIED:
        shutil.copy(root / file, folder / file)
    yaml = YAML()
    try:
        place.as_posix().encode()
    except UnicodeEncodeError:
        raise UserError(f"the name of the folder {place!r} is no UTF-8; rename it") from None
    params = yaml.load(root / "examples" / f"{example}.yaml")
    params["dataset"]["path"] = place.as_posix()
    if row is not None:
        _keep_only(params, row)
    yaml.dump(params, folder / "params.yaml")
    if not (folder / ".dvc").exists():
        _dvc(folder, "init", "--no-scm", "--quiet")
        _dvc(folder, "config", "core.analytics", "false")
    return folder


def repro(folder: Path, *stages: str) -> None:
    """`dvc repro` of these stages and of what they need.

    Raises:
        UserError: a stage has failed, and has said why.
    """
    _dvc(folder, "repro", *stages)


def _keep_only(params: dict[str, Any], row: str) -> None:
    """Takes out of params.yaml what a clustering does without; an unknown row is left for DVC's
    stages to name."""
    complete = inheritance.written_out(params)  # what a row is like may go
    encoders = {params["choose_k"]["encoder"]}
    for section in ("clusterings", "deep_clusterings"):
        encoders |= {complete[section][row]["encoder"]} if row in complete[section] else set()
    needed = {"clusterings": {row}, "deep_clusterings": {row}}
    needed |= {"baselines": encoders, "autoencoders": encoders}
    for section, keys in needed.items():
        params[section] = {key: complete[section][key] for key in complete[section] if key in keys}


def _root(example: str) -> Path:
    """Folder of the project whose pipeline is used: the one that we are in, else the checkout that
    the package is in."""
    needed = ("dvc.yaml", "pipelines", "src/narrows", f"examples/{example}.yaml")
    here = Path.cwd()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if all((folder / name).exists() for name in needed):
            return folder
    raise UserError(
        f"{here} is in no folder of the project, with {', '.join(needed)}; run from such a folder"
    )


def _dvc(folder: Path, *words: str) -> None:
    """Runs DVC in the project's folder, with its own package; raises `UserError` if it fails."""
    env = {key: value for key, value in os.environ.items() if key != "DVC_ROOT"}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
    env["PYTHONPATH"] = str(folder / "src")
    command = [sys.executable, "-m", "dvc", *words]
    if subprocess.run(command, cwd=folder, env=env, check=False).returncode:
        raise UserError(f"dvc {words[0]} failed in {folder}")
