"""`dvc repro` from nothing to results, in a folder of its own, and what it runs again when."""

import csv
import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from helpers import finished, mlflow_store, warm
from helpers.project import Project, deep_row, row

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
ROWS = {"narrow": row(), "other": row(epochs=2)}


STAGES = ["prepare", "pretrained", "tune", "encode", "choose_k", "cluster", "deep_cluster"]
STAGES += ["evaluate", "seeds"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("project"), ROWS)
    assert project.repro() == [*STAGES, "report"]
    assert set(project.written()) == {
        *("searches/tuned", "encoders/pca", "encoders/narrow", "encoders/other", "encoders/tuned"),
        *("choose_k_maps/0", "choose_k_maps/1", "choose_k"),
        *("clusterings/pca-kmeans", "clusterings/narrow-kmeans"),
        *("clusterings/other-kmeans", "deep_clusterings/narrow-dec", "seed_batches/narrow"),
        *(f"evaluations/encoders/{key}" for key in ("pca", "narrow", "other", "tuned")),
        *("evaluations/refined/narrow-dec", "seed_encoders/1/pca", "seed_encoders/1/narrow"),
        *("seeds/1/pca-kmeans", "seeds/1/narrow-dec"),
    }
    return project


def scores(project: Project) -> dict[str, object]:
    content: dict[str, object] = json.loads(
        (project.folder / "results/digits/summary.json").read_text()
    )
    return content


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
        value = runs[key].data.metrics["test/acc"]
        assert value == pytest.approx(summary["clusterings"][key]["acc"], abs=1e-4)
    narrow = runs["narrow"].data
    value = narrow.metrics["test/mse"]
    assert value == pytest.approx(summary["autoencoders"]["narrow"]["test"]["mse"], abs=1e-4)
    assert narrow.params.items() >= {"code_size": "6", "network.hidden": "[16]"}.items()
    history = client.get_metric_history(runs["narrow"].info.run_id, "val/loss")
    assert [point.step for point in history] == [1, 2, 3, 4]
    steps = {
        int(file.path.split("+step+")[1].split("+")[0])
        for file in client.list_artifacts(runs["narrow"].info.run_id, "images")
        if "reconstructions_by_epoch" in file.path
    }
    assert steps == {0, 1, 2}
    (output,) = (model for run in runs.values() for model in run.outputs.model_outputs)
    winner = client.get_logged_model(output.model_id)
    assert (winner.status, winner.source_run_id) == ("READY", runs["tuned"].info.run_id)
    assert {"val/mse", "code_size"} <= {metric.key for metric in winner.metrics} | {*winner.params}


def test_a_second_repro_runs_nothing(project: Project) -> None:
    assert project.repro() == []


def test_deleting_mlruns_loses_no_result(project: Project, tmp_path: Path) -> None:
    before = scores(project)
    (project.folder / "mlruns").rename(tmp_path / "mlruns")
    assert project.repro() == []
    assert project.dvc("repro", "--force", "--single-item", "report")
    assert scores(project) == before


OTHER = {"encoders/other", "evaluations/encoders/other"}


def test_a_changed_row_reruns_alone_with_what_stands_on_it(project: Project) -> None:
    params = project.read()
    params["autoencoders"]["other"]["train"]["epochs"] = 3
    project.write(params)
    assert project.computed("cluster", "evaluate") == OTHER | {"clusterings/other-kmeans"}


def test_a_row_that_is_changed_back_comes_back_without_being_computed(project: Project) -> None:
    params = project.read()
    params["autoencoders"]["other"]["train"]["epochs"] = 2
    project.write(params)
    output = project.dvc("repro", "encode")
    assert "encode: 0 of 4 rows to compute, 1 known from before" in output
    params["autoencoders"]["other"]["train"]["epochs"] = 3
    project.write(params)
    assert "encode: 0 of 4 rows to compute, 1 known from before" in project.dvc("repro", "encode")


def test_a_row_that_is_taken_out_leaves_its_folder(project: Project) -> None:
    params = project.read()
    params["clusterings"]["twice"] = params["clusterings"]["other-kmeans"]
    project.write(params)
    assert project.computed("cluster") == {"clusterings/twice"}
    del params["clusterings"]["twice"]
    project.write(params)
    project.repro("cluster")
    assert "clusterings/twice" not in project.written()


def edit(project: Project, file: str, text: str) -> None:
    with (project.folder / "src/narrows" / file).open("a") as stream:
        stream.write(text)


def test_an_edited_statement_reruns_the_rows_that_reach_it(project: Project) -> None:
    edit(project, "models/baselines/pca.py", "\nEDITED = 1\n")  # the codes stay the same
    own = {"encoders/pca", "evaluations/encoders/pca"}
    assert project.computed("evaluate") == own


def test_an_edited_comment_or_a_plugin_that_no_row_selects_reruns_nothing(project: Project) -> None:
    edit(project, "models/baselines/pca.py", "\n# edited\n")
    edit(project, "training/optimizers/adadelta.py", "\nEDITED = 1\n")
    edit(project, "data/datasets/mnist.py", "\nEDITED = 1\n")
    assert project.computed("evaluate") == set()


def test_a_comment_in_params_runs_no_stage(project: Project) -> None:
    file = project.folder / "params.yaml"
    file.write_text("# a comment\n" + file.read_text())
    assert project.repro("evaluate") == []


def test_a_damaged_file_is_computed_again(project: Project) -> None:
    file = project.folder / "artifacts/digits/encoders/other/train.json"
    whole = file.read_bytes()
    file.write_bytes(whole[:50])
    assert project.computed("encode") == {"encoders/other"}
    assert json.loads(file.read_bytes())["splits"] == json.loads(whole)["splits"]


def test_a_row_that_fails_leaves_all_others_finished(project: Project) -> None:
    params = project.read()
    good = params["autoencoders"]["other"]
    optimizer = {"name": "sgd", "lr": 1e30}
    params["autoencoders"]["wild"] = {**good, "train": {**good["train"], "optimizer": optimizer}}
    params["autoencoders"]["new"] = {**good, "code_size": 5}
    project.write(params)
    output = project.dvc("repro", "encode", succeeds=False)
    assert "encoders/new" in project.written()
    assert "encoders/wild" not in project.written()
    said = [line for line in output.splitlines() if line.startswith("narrows: ")]
    assert said == [line for line in said if "autoencoders.wild: " in line]
    assert "Traceback" not in output
    del params["autoencoders"]["wild"], params["autoencoders"]["new"]
    project.write(params)
    assert project.computed("encode") == set(), "what had finished stays"


def test_two_runs_from_scratch_give_the_same_numbers(project: Project, tmp_path: Path) -> None:
    """The second one without DVC, in one process."""
    params = project.read()
    rows = {"narrow": params["autoencoders"]["narrow"]}
    kmeans = {"narrow-kmeans": params["clusterings"]["narrow-kmeans"]}
    mlflow_store.place(tmp_path)
    sections = {**params, "autoencoders": rows, "searches": {}, "clusterings": kmeans}
    sections |= {"deep_clusterings": {}, "seeds": {**params["seeds"], "rows": []}}
    finished.make(tmp_path, "encode", "cluster", **sections)
    for file in ("encoders/narrow/codes.npy", "clusterings/narrow-kmeans/clusters.npz"):
        first, second = (place / "artifacts/digits" / file for place in (project.folder, tmp_path))
        assert first.read_bytes() == second.read_bytes()


PREDICT = """
import sys
from pathlib import Path
import numpy as np
from narrows.clustering import saved
from narrows.store import clusterings
artifacts, x = Path("artifacts/digits"), np.load("data/digits/x.npy")
for key in sys.argv[1:]:
    clusters = clusterings.open_clustering(artifacts, key).clusters
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
    assert project.computed("deep_cluster") == {"deep_clusterings/narrow-self"}
    keys = ("pca-kmeans", "narrow-kmeans", "narrow-dec", "narrow-self")
    process = project.start("-c", PREDICT, *keys, python=warm.python())
    process.communicate(timeout=300)
    assert process.returncode == 0


def test_auto_takes_the_recommended_number_of_clusters(project: Project) -> None:
    params = project.read()
    params["n_clusters"] = "auto"
    project.write(params)
    rows = project.computed("cluster")
    artifacts = project.folder / "artifacts/digits"
    curve = json.loads((artifacts / "choose_k/curve.json").read_text())
    assert curve["recommended"] in (2, 3, 4)
    assert [row["n_clusters"] for row in curve["curve"]] == [2, 3, 4]
    info = json.loads((artifacts / "clusterings/pca-kmeans/cluster.json").read_text())
    assert info["n_clusters"] == curve["recommended"]
    clusterings = {f"clusterings/{key}-kmeans" for key in ("pca", "narrow", "other")}
    assert rows == {"choose_k"} | clusterings
    params["n_clusters"] = curve["recommended"]
    params["choose_k"]["largest"] = 5
    project.write(params)
    maps = {"choose_k_maps/0", "choose_k_maps/1"}
    assert project.computed("cluster") == {"choose_k", *maps}  # k itself is the same
