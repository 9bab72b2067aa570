"""DVC's experiments, in the folder and beside it, and a clone: only what differs is computed."""

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from mlflow import MlflowClient
from ruamel.yaml import YAML

from helpers.project import Project, row

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
AUTOENCODERS = f"""
autoencoders:
  narrow: {json.dumps(row(epochs=2))}  # a comment
  other:
    like: narrow
    code_size: 4
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """All stages up to `cluster` have been run, and are committed."""
    project = Project(tmp_path_factory.mktemp("project"), {"narrow": {}, "other": {}}, git=True)
    params = project.read() | {"searches": {}, "deep_clusterings": {}}
    params["seeds"]["rows"] = ["pca-kmeans"]
    del params["autoencoders"]
    project.write(params)
    with (project.folder / "params.yaml").open("a") as stream:
        stream.write(AUTOENCODERS)
    project.repro("cluster")
    project.commit()
    return project


def runs(project: Project) -> Counter[str]:
    """How many finished runs of each name the project's MLflow has."""
    client = MlflowClient(f"sqlite:///{project.folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    logged_runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in logged_runs} == {"FINISHED"}
    return Counter(run.info.run_name for run in logged_runs)


ONE_ROW = Counter(["other", "other-kmeans"])


def test_an_experiment_beside_the_folder_computes_one_row(project: Project) -> None:
    """In a workspace of DVC's own, which has no .work, and whose mlruns/ is deleted with it."""
    before, rows = runs(project), project.written()
    output = project.dvc("exp", "run", "--temp", "-S", "autoencoders.other.code_size=5", "cluster")
    assert "encode: 1 of 3 rows to compute\n" in output
    assert "cluster: 1 of 3 rows to compute\n" in output
    assert "choose_k: " not in output
    assert runs(project) - before == ONE_ROW
    assert project.written() == rows
    assert project.read()["autoencoders"]["other"]["code_size"] == 4


def test_a_queued_experiment_computes_one_row(project: Project) -> None:
    """With a value that the row so far inherits."""
    before = runs(project)
    project.dvc("exp", "run", "--queue", "-S", "+autoencoders.other.train.epochs=3", "cluster")
    project.dvc("queue", "start")
    deadline = time.monotonic() + 300
    while (status := project.dvc("queue", "status")).count("Success") == 0:
        assert "Failed" not in status
        assert time.monotonic() < deadline, status
        time.sleep(2)
    assert runs(project) - before == ONE_ROW
    project.dvc("queue", "stop")


def test_an_experiment_in_the_folder_keeps_the_words_of_params(project: Project) -> None:
    rows = project.written()
    output = project.dvc("exp", "run", "-S", "autoencoders.other.code_size=7", "cluster")
    assert "encode: 1 of 3 rows to compute\n" in output
    changed = {row for row, when in project.written().items() if rows[row] != when}
    assert changed == {"encoders/other", "clusterings/other-kmeans"}
    text = (project.folder / "params.yaml").read_text()
    assert "like: narrow" in text
    assert "# a comment" in text
    project.git("checkout", "--quiet", ".")
    output = project.dvc("repro", "cluster")
    assert "1 of" not in output.replace("0 of 3 rows to compute, 1 known from before", "")


def test_a_clone_pulls_all_rows_and_computes_none(project: Project, tmp_path: Path) -> None:
    project.dvc("remote", "add", "--default", "store", str(tmp_path / "remote"))
    project.commit()
    project.dvc("push", "--run-cache", "--with-deps", "cluster")
    gto = Path(sys.executable).with_name("gto")
    subprocess.run([gto, "register", "encoders"], cwd=project.folder, env=project.env, check=True)
    models = tmp_path / "models"
    project.dvc("artifacts", "get", ".", "encoders", "--rev", "v0.0.1", "--out", str(models))
    assert (models / "other/weights.pt").exists()
    project.git("clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = object.__new__(Project)
    clone.folder = tmp_path / "clone"
    shutil.copytree(project.folder / "mlruns", clone.folder / "mlruns", dirs_exist_ok=True)
    clone.dvc("pull", "--with-deps", "cluster")
    rows = clone.written()
    assert clone.repro("cluster") == []
    assert clone.written() == rows
    params = YAML().load(clone.folder / "params.yaml")
    params["autoencoders"]["other"]["code_size"] = 5
    YAML().dump(params, clone.folder / "params.yaml")
    assert clone.computed("cluster") == {"encoders/other", "clusterings/other-kmeans"}
