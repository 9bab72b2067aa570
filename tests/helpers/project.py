"""A copy of the project in a folder of its own, with small rows, driven through `dvc`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from helpers import mlflow_store, warm

ROOT = Path(__file__).parents[2]
WHO = ("AUTHOR", "COMMITTER")
EXPERIMENT = Path(__file__).parents[1] / "experiment.yaml"
"""A whole params.yaml, of tests alone: that of the project is the user's own."""


BASE: dict[str, Any] = {
    "seed": 0,
    "device": "cpu",
    "devices": 1,
    "num_nodes": 1,
    "dataset": {"name": "digits"},
    "prepare": {"test_fraction": 0.2, "val_fraction": 0.2},
    "n_clusters": 10,
    "baselines": {"pca": {"name": "pca", "code_size": 6}},
}
"""What params.yaml says in every small project."""


def environment(*sources: Path) -> dict[str, str]:
    """The environment of a project's processes: nothing of a project around it, and the folders
    that Python imports from."""
    env = {k: v for k, v in os.environ.items() if k not in ("DVC_ROOT", "MLFLOW_TRACKING_URI")}
    return env | {"PYTHONPATH": os.pathsep.join(map(str, sources))}


def row(**changes: Any) -> dict[str, Any]:
    """A row of `autoencoders:` that trains in a second."""
    none = {"name": "none"}
    train = {"epochs": 4, "batch_size": 64, "patience": None, "schedule": none}
    train["optimizer"] = {"name": "adam", "lr": 0.01}
    base = {"name": "plain", "network": {"name": "mlp", "hidden": [16]}, "code_size": 6}
    base |= {"code_activation": "relu", "output_activation": "sigmoid", "loss": "bce"}
    return {**base, "corruption": none, "penalty": none, "train": train | changes}


def deep_row(encoder: str) -> dict[str, Any]:
    """A row of `deep_clusterings:` that runs in a second."""
    method = {"name": "dec", "batch_size": 64, "interval": 5, "max_updates": 2, "tolerance": 0.001}
    method["optimizer"] = {"name": "sgd", "lr": 0.01}
    start = {"name": "kmeans", "n_init": 2}
    return {
        "encoder": encoder,
        "start": start,
        "augmentation": {"name": "none"},
        "method": method,
    }


def share_environment(folder: Path, python: str | None = None) -> None:
    """An environment with the files of this one, and with another `python` if there is one. It does
    not say where it was made: the Makefile makes one anew that was made in another folder."""
    folder.mkdir()
    for entry in Path(sys.prefix).iterdir():
        (folder / entry.name).symlink_to(entry)
    config = folder / "pyvenv.cfg"
    lines = config.read_text().splitlines(keepends=True)
    config.unlink()
    config.write_text("".join(line for line in lines if not line.startswith("command = ")))
    if python:
        (folder / "bin").unlink()
        shutil.copytree(Path(sys.prefix, "bin"), folder / "bin", symlinks=True)
        (folder / "bin/python").unlink()
        (folder / "bin/python").write_text(f'#!/bin/sh\nexec {python} "$@"\n')
        (folder / "bin/python").chmod(0o755)


class Project:
    def __init__(self, folder: Path, autoencoders: dict[str, Any], git: bool = False):
        self.folder = folder
        skipped = shutil.ignore_patterns("__pycache__", "*.egg-info", "dvc.lock")
        for name in ("src", "pipelines"):
            shutil.copytree(ROOT / name, folder / name, ignore=skipped)
        shutil.copy(ROOT / "dvc.yaml", folder)
        shutil.copy(ROOT / ".dvcignore", folder)
        shutil.copy(ROOT / ".gitignore", folder)
        kmeans = {"name": "kmeans", "n_init": 2}
        keys = ["pca", *autoencoders]
        self.write(
            {
                **BASE,
                "autoencoders": autoencoders,
                "searches": {
                    "tuned": {
                        "row": keys[1],
                        "space": {"code_size": {"low": 4, "high": 8}},
                        "objectives": [{"name": "reconstruction"}, {"name": "code_size"}],
                        "n_trials": 2,
                    }
                },
                "evaluate": {
                    "corruptions": {"gaussian": {"name": "gaussian", "std": 0.3}},
                    "map_rows": 100,
                    "nll_draws": 5,
                },
                "choose_k": {"encoder": "pca", "largest": 4},
                "cluster_on": "all",
                "clusterings": {f"{k}-kmeans": {"encoder": k, "clusterer": kmeans} for k in keys},
                "deep_clusterings": {f"{keys[1]}-dec": deep_row(keys[1])},
                "seeds": {
                    "values": [0, 1],
                    "rows": ["pca-kmeans", f"{keys[1]}-dec"],
                    "together": True,
                },
            }
        )
        mlflow_store.place(folder)
        if git:
            self.git("init", "--quiet")
        self.dvc("init", "--quiet", *([] if git else ["--no-scm"]))

    @property
    def env(self) -> dict[str, str]:
        env = environment(self.folder / "src")
        binaries = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
        people = {f"GIT_{who}_{what}": "a@b.c" for who in WHO for what in ("NAME", "EMAIL")}
        return env | people | {"PATH": binaries}

    def read(self) -> dict[str, Any]:
        params: dict[str, Any] = YAML(typ="safe").load(self.folder / "params.yaml")
        return params

    def write(self, params: dict[str, Any]) -> None:
        YAML(typ="safe").dump(params, self.folder / "params.yaml")

    def start(self, *words: str, python: str = sys.executable) -> subprocess.Popen[str]:
        """`python ...`, not waited for: the real one, unless there is another."""
        command = [python, "-u", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.folder, env=self.env, stdout=pipe, text=True)

    def dvc(self, *words: str, succeeds: bool = True) -> str:
        """Output of `dvc ...`, which has to succeed, or to fail."""
        python = Path(warm.python())
        env = self.env | {"PATH": f"{python.parent}{os.pathsep}{self.env['PATH']}"}
        command = [str(python), "-m", "dvc", *words]
        done = subprocess.run(
            command, cwd=self.folder, env=env, capture_output=True, text=True, check=False
        )
        assert (done.returncode == 0) is succeeds, done.stdout + done.stderr
        return done.stdout + done.stderr

    def git(self, *words: str) -> None:
        """`git ...`, which has to succeed."""
        subprocess.run(["git", *words], cwd=self.folder, env=self.env, check=True)

    def commit(self) -> None:
        """Commits all that git does not ignore."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "state")

    def repro(self, *stages: str) -> list[str]:
        """The stages that `dvc repro` ran, but for `fetch`, which looks each time."""
        output = self.dvc("repro", *stages)
        ran = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running st")]
        return [stage for stage in ran if stage != "fetch"]

    def written(self) -> dict[str, int]:
        """When each row was written, in nanoseconds, by its folder below artifacts/digits."""
        home = self.folder / "artifacts/digits"
        files = home.rglob("row.json")
        return {f.parent.relative_to(home).as_posix(): f.stat().st_mtime_ns for f in files}

    def computed(self, *stages: str) -> set[str]:
        """The rows that `dvc repro` computed; others were current, or came back."""
        before = self.written()
        self.repro(*stages)
        return {row for row, when in self.written().items() if before.get(row) != when}
