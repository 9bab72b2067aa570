"""The README's commands, typed as they stand there into a small copy of the project."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from helpers.own_data import pictures
from helpers.project import ROOT, Project, deep_row, row

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(
        not Path(sys.prefix, "installed-dev").exists(), reason="the environment is not that of make"
    ),
]
SHORTER = {  # what would take hours or a download
    "TIMEOUT=2h": "TIMEOUT=5s",
    "dataset.name=mnist": "dataset.name=digits prepare",
}
ELSEWHERE = {  # command -> test that runs it
    "make test": "commands/test_readme_commands.py::test_every_command_works",  # CI calls both
    "python pipelines/search.py small-codes --timeout 2h --workers 8 --launcher ray "
    "--gpus-per-trial 0.25": "test_search_workers.py::test_workers_that_are_killed_lose_no_trial",
    "cp examples/image_folder.yaml params.yaml": (
        "test_own_data.py::test_an_example_runs_to_its_report"
    ),
    "dvc exp run -S dataset.name=fashion_mnist": "test_datasets.py::test_contract",
    "python -m narrows gallery --folders links --to ~/sorted --names saved.json": (
        "test_gallery.py::test_folders_hold_every_picture_once_and_change_nothing"
    ),
    "python -m narrows apply --run pca-kmeans new.csv --to told.parquet": (
        "test_apply.py::test_rows_are_checked_by_the_schema"
    ),
    "python -m narrows apply ~/new/pictures ~/one.jpg --to ~/new-page": (
        "test_apply.py::test_a_page_shows_new_pictures_beside_the_known"
    ),
}


def commands() -> list[str]:
    """The lines of the README's shell blocks, without their comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    lines = [line.split(" # ")[0].strip() for block in blocks for line in block.splitlines()]
    return [line.removesuffix(" #").strip() for line in lines if line]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Rows of the names that the README uses, on the same data, in a git repository."""
    encoders = {key: row(epochs=1) for key in ("deep", "deep-sigmoid", "conv", "undercomplete")}
    copy = Project(tmp_path / "narrows", encoders)
    params = copy.read()
    params["dataset"]["name"] = "mnist_5k"
    params["searches"] = {"small-codes": params["searches"]["tuned"] | {"row": "undercomplete"}}
    umap = {"name": "umap_gmm", "n_epochs": 20}
    labelled = deep_row("conv")
    labelled["method"] |= {"name": "self_label", "max_updates": 1}
    params["clusterings"] = {"pca-umap-gmm": {"encoder": "pca", "clusterer": umap}}
    params["deep_clusterings"] = {
        "deep-dec": deep_row("deep"),
        "affine-conv-self-label": labelled,
    }
    params["seeds"] |= {"values": [0, 1, 2, 3, 4], "rows": ["pca-umap-gmm"]}
    copy.write(params)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", ".gitignore", "examples"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(
            ROOT / name, copy.folder / name
        )
    for name in ("pyproject.toml", "constraints.txt"):  # older than the environment
        os.utime(copy.folder / name, (0, 0))
    (copy.folder / ".venv").symlink_to(sys.prefix)
    shutil.rmtree(copy.folder / ".dvc")
    (copy.folder / "results/mnist_5k").mkdir()
    typed(copy, "git init --quiet && dvc init --quiet")
    commit(copy)
    pictures(tmp_path / "Photos")
    return copy


def commit(project: Project) -> None:
    who = "-c user.name=me -c user.email=me@example.org"
    typed(project, f"git add --all && git {who} commit --quiet --allow-empty --message one")


def environment(project: Project) -> dict[str, str]:
    return project.env | {"HOME": str(project.folder.parent)}


def typed(project: Project, command: str) -> str:
    """What a shell in the project's folder prints; the command has to succeed."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=project.folder,
        env=environment(project),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def running(project: Project, command: str, page: str) -> Iterator[None]:
    """While a server answers that ends with Ctrl-C."""
    server = subprocess.Popen(
        ["bash", "-c", command],
        cwd=project.folder,
        env=environment(project),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            assert server.poll() is None, command
            try:
                urllib.request.urlopen(page, timeout=5).close()
                break
            except OSError:
                time.sleep(0.25)
        else:
            raise AssertionError(f"{command}: {page} does not answer")
        yield
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait(timeout=60)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_every_command_works(project: Project) -> None:
    known: dict[str, Any] = {}
    for command in commands():
        if command in ELSEWHERE:
            file, name = ELSEWHERE[command].split("::")
            assert f"def {name}(" in (ROOT / "tests" / file).read_text(), command
            continue
        known[command] = True
        for long, short in SHORTER.items():
            command = command.replace(long, short)
        port = free_port()
        if command == "make dashboard":
            page = f"http://127.0.0.1:{port}/dashboard"
            with running(project, f"{command} DASHBOARD_PORT={port}", page):
                continue
        if command.startswith("curl"):
            typed(project, "make promote ROW=pca-umap-gmm")
            with running(project, f"make serve PORT={port}", f"http://127.0.0.1:{port}/ping"):
                answer = typed(project, command.replace("5001", str(port)))
            assert '"cluster"' in answer
            continue
        typed(project, command)
        if command == "make repro":
            commit(project)
            commit(project)
        if command.startswith("dvc exp run"):  # which leaves its params in the folder
            typed(project, "git checkout --quiet . && dvc checkout --quiet")
    assert (project.folder / "encoders.html").exists()
    assert set(ELSEWHERE) < set(commands())
    assert len(known) > 10
