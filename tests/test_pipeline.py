"""`dvc repro` from nothing to results, in a folder of its own, and what it runs again when."""

import csv
import json
from pathlib import Path

import pytest
from mlflow import MlflowClient
from project import Project, deep_row, row

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
ROWS = {"narrow": row(), "other": row(epochs=2)}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("project"), ROWS)
    ran = project.repro(warm=True)
    trained = ["train@narrow", "train@other", "tune@tuned", "train_tuned@tuned"]
    clustered = ["cluster@narrow-kmeans", "cluster@other-kmeans", "cluster@pca-kmeans"]
    clustered += ["deep_cluster@narrow-dec", "seed_encoders", "seeds@0", "seeds@1"]
    assert sorted(ran) == sorted(
        ["prepare", "baseline@pca", *trained, "choose_k", "evaluate", *clustered, "report"]
    )
    return project


def scores(project: Project) -> dict[str, object]:
    told: dict[str, object] = json.loads(
        (project.folder / "results/digits/summary.json").read_text()
    )
    return told


def evaluated(project: Project) -> dict[str, int]:
    """When each encoder was evaluated, and when it was trained from other seeds, in nanoseconds."""
    artifacts = project.folder / "artifacts/digits"
    folders = (artifacts / "evaluations/encoders").iterdir()
    told = {folder.name: (folder / "scores.json").stat().st_mtime_ns for folder in folders}
    again = artifacts / "seed_encoders/narrow"
    assert sorted(file.name for file in again.iterdir()) == ["1.pt", "seeds.json"]
    return told | {"narrow from seed 1": (again / "1.pt").stat().st_mtime_ns}


def test_results_are_complete(project: Project) -> None:
    results = project.folder / "results/digits"
    with (results / "autoencoders.csv").open(newline="") as stream:
        encoders = list(csv.DictReader(stream))
    assert [(r["autoencoder"], r["split"]) for r in encoders] == [
        (key, split)
        for key in ("pca", "narrow", "other", "tuned")
        for split in ("train", "val", "test")
    ]
    assert all(0 < float(r["mse"]) < 0.2 for r in encoders)
    with (results / "clusterings.csv").open(newline="") as stream:
        clusterings = list(csv.DictReader(stream))
    assert len(clusterings) == 4 * 4  # splits, and all rows
    test_rows = [r for r in clusterings if r["split"] == "test"]
    assert all(float(r["acc"]) > 0.3 and r["n"] == "359" for r in test_rows)
    page = (results / "report.html").read_text()
    figures = sorted(f"figures/{f.name}" for f in (results / "figures").iterdir())
    assert len(figures) > 10
    assert all(f'src="{figure}"' in page for figure in figures)


def test_every_row_is_a_finished_run_with_its_scores(project: Project) -> None:
    client = MlflowClient(f"sqlite:///{project.folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    clusterings = {f"{key}-kmeans" for key in ("pca", "narrow", "other")} | {"narrow-dec"}
    trials = {"tuned search", "tuned-0", "tuned-1"}
    assert set(runs) == {"pca", "narrow", "other", "tuned", "report"} | clusterings | trials
    overview = runs["report"].info.run_id
    there = [file.path for file in client.list_artifacts(overview, "images")]
    assert any("robustness" in path for path in there)
    assert "get-artifact?run_uuid=" + overview in experiment.tags["mlflow.note.content"]
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    summary = json.loads((project.folder / "results/digits/summary.json").read_text())
    for key in clusterings:
        found = runs[key].data.metrics["test/acc"]
        assert found == pytest.approx(summary["clusterings"][key]["acc"], abs=1e-4)
    narrow = runs["narrow"].data
    found = narrow.metrics["test/mse"]
    assert found == pytest.approx(summary["autoencoders"]["narrow"]["test"]["mse"], abs=1e-4)
    assert narrow.params.items() >= {"code_size": "6", "network.hidden": "[16]"}.items()
    history = client.get_metric_history(runs["narrow"].info.run_id, "val/loss")
    assert [point.step for point in history] == [1, 2, 3, 4]
    steps = {
        int(file.path.split("+step+")[1].split("+")[0])
        for file in client.list_artifacts(runs["narrow"].info.run_id, "images")
        if "reconstructions_by_epoch" in file.path
    }
    assert steps == {0, 1, 2}


def test_a_second_repro_runs_nothing(project: Project) -> None:
    assert project.repro() == []


def test_a_changed_row_and_an_edited_plugin_rerun_what_selects_them(project: Project) -> None:
    with (project.folder / "src/narrows/models/baselines/pca.py").open("a") as file:
        file.write("\n# edited\n")  # the codes, so the clusters, are the same
    params = project.read()
    params["autoencoders"]["other"]["train"]["epochs"] = 3
    project.write(params)
    before = evaluated(project)
    ran = project.repro(warm=True)
    again = ["baseline@pca", "cluster@other-kmeans", "evaluate", "report", "seed_encoders"]
    assert sorted(ran) == [*again, "seeds@0", "seeds@1", "train@other"]
    after = evaluated(project)
    assert {key for key in after if after[key] != before[key]} == {"other"}


def test_an_edited_plugin_that_no_row_selects_reruns_nothing(project: Project) -> None:
    for name in ("optimizers/adadelta.py", "schedules/cosine.py", "datasets/mnist.py"):
        with (project.folder / "src/narrows" / name).open("a") as file:
            file.write("\n# edited\n")
    assert project.repro() == ["tune@tuned"]  # it looks, because a trial may name any of them


def test_deleting_mlruns_loses_no_result(project: Project, tmp_path: Path) -> None:
    before = scores(project)
    (project.folder / "mlruns").rename(tmp_path / "mlruns")
    assert project.repro() == []
    assert project.dvc("repro", "--force", "--single-item", "report")
    assert scores(project) == before


def test_two_runs_from_scratch_give_the_same_numbers(project: Project, tmp_path: Path) -> None:
    params = project.read()
    again = Project(tmp_path / "again", {"narrow": params["autoencoders"]["narrow"]})
    again.repro("cluster@narrow-kmeans")
    for file in ("encoders/narrow/codes.npy", "clusterings/narrow-kmeans/clusters.npz"):
        one, other = (p.folder / "artifacts/digits" / file for p in (project, again))
        assert one.read_bytes() == other.read_bytes()


PREDICT = """
import sys
from pathlib import Path
import numpy as np
from narrows.clustering import saved
artifacts, x = Path("artifacts/digits"), np.load("data/digits/x.npy")
for key in sys.argv[1:]:
    clusters = np.load(artifacts / "clusterings" / key / "clusters.npz")["clusters"]
    assert len(set(clusters.tolist())) > 5
    found = saved.load(artifacts, key).predict(x[1000:])
    assert found.tolist() == clusters[1000:].tolist(), key
"""


def test_a_new_process_predicts_from_what_is_on_disk(project: Project) -> None:
    """Of a baseline, an autoencoder, and deep clusterings with and without their own rule."""
    params = project.read()
    deep = deep_row("narrow")
    deep["method"] |= {"name": "self_label", "max_updates": 1}
    params["deep_clusterings"]["narrow-self"] = deep
    project.write(params)
    assert project.repro("deep_cluster@narrow-self") == ["deep_cluster@narrow-self"]
    keys = ("pca-kmeans", "narrow-kmeans", "narrow-dec", "narrow-self")
    process = project.start("-c", PREDICT, *keys)
    process.communicate(timeout=300)
    assert process.returncode == 0


def test_auto_takes_the_recommended_number_of_clusters(project: Project) -> None:
    params = project.read()
    params["n_clusters"] = "auto"
    project.write(params)
    ran = project.repro("cluster@pca-kmeans")
    artifacts = project.folder / "artifacts/digits"
    curve = json.loads((artifacts / "choose_k/curve.json").read_text())
    assert curve["recommended"] in (2, 3, 4)
    assert [row["n_clusters"] for row in curve["curve"]] == [2, 3, 4]
    told = json.loads((artifacts / "clusterings/pca-kmeans/cluster.json").read_text())
    assert told["n_clusters"] == curve["recommended"]
    assert ran == ["choose_k", "cluster@pca-kmeans"]
    params["n_clusters"] = curve["recommended"]
    params["choose_k"]["largest"] = 5
    project.write(params)
    assert project.repro("cluster@pca-kmeans") == ["choose_k"]  # k itself is the same
