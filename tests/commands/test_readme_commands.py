"""The commands of README and the guides, typed as they stand there into a small copy of the
project."""

import contextlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from helpers import warm
from helpers.own_data import pictures
from helpers.project import ROOT, Project, deep_row, row, share_environment

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(
        not Path(sys.prefix, "installed-dev").exists(), reason="the environment is not that of make"
    ),
]
BLOCKS_OF_PYTHON = {  # page -> number of its blocks, and the function that runs them
    "README.md": (1, "commands/test_readme_commands.py::check_python_blocks"),
    "docs/guides/pretrained.md": (1, "test_pretrained.py::test_the_guides_block_runs"),
    "docs/guides/python.md": (3, "test_api.py::test_the_guides_block_on_a_project_runs_there"),
    "docs/guides/tables.md": (
        1,
        "commands/test_own_data.py::test_the_guide_s_new_rows_are_encoded",
    ),
}
PAGES = ["README.md", "docs/getting-started.md"]
PAGES += sorted(str(file.relative_to(ROOT)) for file in (ROOT / "docs/guides").glob("*.md"))
SHORTER = {  # what would take hours or a download
    "--timeout 2h": "--timeout 5s",
    "--timeout 20m": "--timeout 5s",
    "dataset.name=mnist": "dataset.name=digits prepare",
}
QUEUED = "commands/test_experiments.py::test_a_queued_experiment_computes_one_row"
CLONED = "commands/test_experiments.py::test_a_clone_pulls_all_rows_and_computes_none"
PREDICTED = "test_promotion.py::test_files_are_predicted_where_no_project_is"
TOGETHER = "test_processes.py::test_two_processes_train_what_one_trains"
TEAM = "commands/test_team_server.py::test_a_server_that_goes_away_loses_nothing"
BACKUP = "commands/test_team_server.py::test_a_backup_has_runs_and_accounts"
ELSEWHERE = {  # command -> test that runs it, or the like
    "make test": "commands/test_readme_commands.py::test_every_command_works",  # CI calls both
    "cd ~/mine && dvc repro": "test_new.py::test_the_pipeline_of_a_new_project_runs",
    "narrows new ~/cifar --data torchvision:CIFAR10": (
        "test_look.py::test_sets_that_come_along_and_those_of_libraries"
    ),
    "narrows new ~/customers --data ~/customers.csv": (
        "test_look.py::test_a_table_with_its_separator_and_decimal_point"
    ),
    "narrows new ~/mails --data ~/mails": "test_look.py::test_a_folder_of_texts",
    "narrows new ~/vectors --data ~/embeddings.npy": (
        "test_look.py::test_an_array_is_rows_or_pictures_by_its_header"
    ),
    "narrows search small-codes --timeout 2h --workers 8 --launcher ray --gpus-per-trial 0.25": (
        "test_search_workers.py::test_workers_that_are_killed_lose_no_trial"
    ),
    "dvc exp run -S dataset.name=fashion_mnist": "test_datasets.py::test_contract",
    "narrows gallery --folders links --to ~/sorted --names saved.json": (
        "test_gallery.py::test_folders_hold_every_picture_once_and_change_nothing"
    ),
    "narrows gallery --names saved.json": (
        "test_gallery.py::test_merged_clusters_have_one_folder_and_the_page_begins_with_them"
    ),
    "narrows apply ~/new/pictures --names saved.json --to new.csv": (
        "test_apply.py::test_names_and_coarse_groups_stand_beside_the_clusters"
    ),
    "narrows apply --run pca-kmeans new.csv --to clusters.parquet": (
        "test_apply.py::test_rows_are_checked_by_the_schema"
    ),
    "narrows apply ~/new/pictures ~/one.jpg --to ~/new-page": (
        "test_apply.py::test_a_page_shows_new_pictures_beside_the_known"
    ),
    "MLFLOW_TRACKING_URI=http://tracking:5000 narrows predict "
    "--model models:/narrows-mnist_5k@champion new.csv": PREDICTED,
    "narrows predict --model models:/narrows-photos/3 ~/new/pictures --to clusters.parquet": (
        PREDICTED
    ),
    "narrows table": (
        "test_table_page.py::test_page_profiles_clusters_and_names_odd_rows_with_their_columns"
    ),
    "narrows text": "test_text_page.py::test_page_tells_terms_and_names_as_names",
    'narrows text --query "words to look for"': "test_text_page.py::test_query_finds_the_nearest",
    "dvc queue start": QUEUED,
    "dvc exp apply <name>": QUEUED,
    "dvc remote add --default store /mnt/shared/narrows": CLONED,
    "dvc remote add --default store s3://bucket/narrows": CLONED,
    "dvc push": CLONED,
    "dvc push --run-cache": CLONED,
    "gto register encoders": CLONED,
    "dvc artifacts get <repository> encoders --rev v0.0.1": CLONED,
    "dvc pull": CLONED,
    "NARROWS_ENGINE=ray RAY_ADDRESS=head:6379 dvc repro": (
        "test_ray.py::test_nodes_without_a_shared_folder_give_the_same_results"
    ),
    "NARROWS_ENGINE=slurm NARROWS_SLURM=slurm_partition=gpu,timeout_min=240 dvc repro": (
        "test_engine.py::test_slurm_runs_rows_as_jobs"
    ),
    "srun --nodes=2 --ntasks-per-node=2 python pipelines/encode.py deep": TOGETHER,
    "torchrun --nnodes=2 --nproc-per-node=2 --rdzv-backend=c10d "
    "--rdzv-endpoint=first-machine:29500 pipelines/encode.py deep": TOGETHER,
    "MASTER_ADDR=first-machine MASTER_PORT=29500 NODE_RANK=0 python pipelines/encode.py deep": (
        TOGETHER
    ),
    "cd deploy": TEAM,
    "cp .env.example .env": TEAM,
    "docker compose up --detach": TEAM,
    "docker compose ps": TEAM,
    "curl --user admin http://tracking:5000/api/2.0/mlflow/users/create "
    '--json \'{"username": "anna", "password": "at least 12 letters"}\'': TEAM,
    "docker compose exec -T postgres pg_dump --username=mlflow --format=custom mlflow "
    "> mlflow.dump": BACKUP,
    'docker compose run --rm --volume "$PWD/files:/files" --entrypoint aws bucket '
    "s3 sync s3://mlflow /files": BACKUP,
    "docker compose stop mlflow && docker compose up --detach postgres bucket": BACKUP,
    "docker compose exec -T postgres pg_restore --username=mlflow --dbname=mlflow --clean "
    "--if-exists < mlflow.dump": BACKUP,
    'docker compose run --rm --volume "$PWD/files:/files" --entrypoint aws bucket '
    "s3 sync /files s3://mlflow": BACKUP,
    "docker compose build --pull mlflow && docker compose stop mlflow": BACKUP,
    "docker compose run --rm mlflow mlflow db upgrade postgresql+psycopg://": BACKUP,
    "export MLFLOW_DEFAULT_ARTIFACT_ROOT=s3://bucket/runs": (
        "commands/test_team_server.py::test_pictures_of_a_database_lie_where_the_variable_says"
    ),
    "MLFLOW_TRACKING_URI=http://tracking:5000 dvc repro": (
        "test_tracking.py::test_a_store_that_is_no_url_is_told"
    ),
    "MLFLOW_TRACKING_URI=postgresql+psycopg://user:password@host/runs dvc repro": (
        "test_tracking.py::test_a_store_that_does_not_open_is_told_without_its_password"
    ),
}


def commands() -> list[str]:
    """The lines of the pages' shell blocks, each once, without their comments."""
    texts = [(ROOT / page).read_text(encoding="utf-8") for page in PAGES]
    blocks = [b for text in texts for b in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)]
    whole = [line for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines()]
    lines = [line.split(" # ")[0].strip() for line in whole]
    return list(dict.fromkeys(line for line in lines if line))


def is_checked_by_the_params(command: str) -> bool:
    """Whether tests/maintainer/test_teaching.py loads params.yaml with the command's changes."""
    return command.startswith("dvc exp run") and "dataset.name" not in command


def python_block(page: str) -> str:
    """The first block of Python of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    match = re.search(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert match, page
    return match[1]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Rows of the names that the pages use, on the same data, in a git repository."""
    keys = ("shallow", "deep", "deep-sigmoid", "conv", "undercomplete")
    copy = Project(tmp_path / "narrows", {key: row(epochs=1) for key in keys})
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
    share_environment(copy.folder / ".venv", warm.python())
    shutil.rmtree(copy.folder / ".dvc")
    (copy.folder / "results/mnist_5k").mkdir(parents=True)
    typed(copy, "git init --quiet && dvc init --quiet")
    commit(copy)
    pictures(tmp_path / "Photos")
    return copy


def commit(project: Project) -> None:
    who = "-c user.name=me -c user.email=me@example.org"
    typed(project, f"git add --all && git {who} commit --quiet --allow-empty --message one")


def environment(project: Project) -> dict[str, str]:
    """With the commands of the project's environment, whose stages alone begin warm."""
    path = f"{project.folder / '.venv/bin'}{os.pathsep}{project.env['PATH']}"
    return project.env | {"HOME": str(project.folder.parent), "PATH": path}


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


def test_pages_have_every_command_that_other_tests_run() -> None:
    assert set(ELSEWHERE) < set(commands())


def test_every_command_works(project: Project) -> None:
    known: dict[str, Any] = {}
    for command in commands():
        if command in ELSEWHERE:
            file, name = ELSEWHERE[command].split("::")
            assert f"def {name}(" in (ROOT / "tests" / file).read_text(), command
            continue
        if is_checked_by_the_params(command):
            continue
        known[command] = True
        for long, short in SHORTER.items():
            command = command.replace(long, short)
        if command.startswith("narrows search"):
            command += " || test $? -eq 3"  # in five seconds there may be no new trial
        port = free_port()
        if command == "narrows dashboard":
            page = f"http://127.0.0.1:{port}/dashboard"
            with running(project, f"{command} --port {port}", page):
                continue
        if command.startswith("curl"):
            typed(project, "narrows promote pca-umap-gmm")
            with running(project, f"narrows serve --port {port}", f"http://127.0.0.1:{port}/ping"):
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
    assert len(known) > 20
    check_python_blocks(project)
    check_metrics(project)


def test_every_block_of_python_has_a_test() -> None:
    texts = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
    counts = {page: text.count("```python\n") for page, text in texts.items()}
    assert {page: n for page, n in counts.items() if n} == {
        page: n for page, (n, _) in BLOCKS_OF_PYTHON.items()
    }
    for _, test in BLOCKS_OF_PYTHON.values():
        file, name = test.split("::")
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(), test


def check_python_blocks(project: Project) -> None:
    """Runs the blocks of Python of README and of the reference on what `make repro` has left."""
    readme = (
        python_block("README.md").replace("mnist_5k", "digits").replace("epochs=10", "epochs=1")
    )
    for block in (readme, python_block("docs/reference/api.md")):
        (project.folder / "block.py").write_text(block)
        typed(project, f"{sys.executable} block.py")


def check_metrics(project: Project) -> None:
    """Every metric in MLflow's store is explained by docs/reference/metrics.md."""
    page = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    patterns = [
        name.replace("<split>", "*") for cell in cells for name in re.findall("`(.+?)`", cell)
    ]
    with contextlib.closing(sqlite3.connect(project.folder / "mlruns/mlflow.db")) as store:
        keys = {key for (key,) in store.execute("SELECT DISTINCT key FROM metrics")}
    assert len(keys) > 40
    assert not [key for key in keys if not any(fnmatch(key, name) for name in patterns)]
