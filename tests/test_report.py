"""The report stage on a small artefact folder, with scores by hand."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import psutil
import pytest

from helpers.toy_artifacts import LABELS, Reported, in_project, read_csv
from narrows.clustering import votes
from narrows.errors import UserError
from narrows.report import artifacts, claims, tables
from narrows.stages import report
from narrows.store.files import write_csv

PRECISION = {"precision_1": "1", "precision_5": "1", "precision_10": "0.5"}


def samples(kind: str) -> np.ndarray:
    """Two groups far apart, as the labels say."""
    values = np.random.default_rng(0).integers(0, 50, size=(20, 64)) + 200 * LABELS[:, None]
    if kind == "table":
        return values.astype(np.float32)
    grey = values.astype(np.uint8).reshape(20, 1, 8, 8)
    return grey.repeat(3, axis=1) if kind == "colour" else grey


@pytest.fixture(scope="module", params=["picture", "colour", "table"])
def x(request: pytest.FixtureRequest) -> np.ndarray:
    return samples(request.param)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Reported]:
    """For tests that change something before they call the stage, which takes seconds."""
    with in_project(tmp_path, samples("picture")) as there:
        yield there


@pytest.fixture
def project(fresh: Reported) -> Path:
    return fresh.folder


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory, x: np.ndarray) -> Reported:
    """What the stage left, once for all tests that only look."""
    place = tmp_path_factory.mktemp("reported")
    with in_project(place, x) as there, pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "DATASETS", ("toy",))
        report.main()
        return there


def test_scores_by_hand(reported: Reported) -> None:
    project, runs = reported
    rows = read_csv(project / "results/toy/clusterings.csv")
    assert list(rows[0]) == (
        "clustering encoder clusterer split n nmi acc ari purity acc_covered silhouette coverage "
        "n_clusters_found neighbours seconds seed"
    ).split(" ")
    scores = {(row["clustering"], row["split"]): row for row in rows}
    assert len(scores) == len(rows) == 16
    assert (scores["good", "test"]["acc"], scores["good", "test"]["purity"]) == ("0.8", "0.8")
    assert (scores["good", "train"]["acc"], scores["good", "train"]["nmi"]) == ("1", "1")
    assert scores["good", "test"]["n"] == "5"
    assert float(scores["good", "train"]["silhouette"]) > 0.5
    # ten neighbours are nearly all of the training samples: the larger cluster wins every vote
    assert (scores["good", "test"]["neighbours"], scores["good", "all"]["neighbours"]) == ("0", "")
    assert (scores["good", "all"]["acc"], scores["good", "all"]["n"]) == ("0.95", "20")
    # noisy: the clusters of test rows are 1 1 0 0 noise, labels 0 0 0 1 1: three of five hit.
    assert (scores["noisy", "test"]["acc"], scores["noisy", "test"]["coverage"]) == ("0.6", "0.8")
    assert scores["noisy", "test"]["acc_covered"] == "0.75"
    assert (scores["noisy", "test"]["purity"], scores["noisy", "test"]["n_clusters_found"]) == (
        "0.75",
        "2",
    )
    single = scores["one", "test"]
    assert (single["nmi"], single["silhouette"], single["n_clusters_found"]) == ("0", "", "1")
    assert (single["seconds"], single["seed"]) == ("0.25", "7")

    good = runs["f-good", "toy"]
    assert good.metrics["test/acc"] == 0.8
    assert good.metrics["train/n_clusters_found"] == 2
    assert good.images == ["clusters", "confusion", "sheet"]
    refined = runs["f-refined", "toy"]
    assert refined.images == ["clusters", "confusion", "sheet", "health", "updates"]
    assert "test/silhouette" not in runs["f-one", "toy"].metrics


def test_reconstructions_and_summary(reported: Reported, x: np.ndarray) -> None:
    project, _ = reported
    rows = read_csv(project / "results/toy/autoencoders.csv")
    assert [(row["autoencoder"], row["split"]) for row in rows] == [
        (key, split) for key in ("plain-x", "deep") for split in ("train", "val", "test")
    ]
    ssim = "" if x.ndim == 2 else "0.75"
    assert list(rows[-1].items()) == [
        ("autoencoder", "deep"),
        ("input", "samples"),
        ("split", "test"),
        ("code_size", "3"),
        ("n_parameters", "1234"),
        ("mse", "0.0123457"),
        ("bce", "0.25"),
        ("psnr", "19.0849"),
        ("ssim", ssim),
        ("epochs_run", "2"),
        ("seconds", "1.5"),
        ("seed", "7"),
    ]
    assert (rows[0]["mse"], rows[0]["psnr"]) == ("0", "")

    summary = json.loads((project / "results/toy/summary.json").read_text())
    assert list(summary["autoencoders"]) == ["plain-x", "deep"]
    assert summary["autoencoders"]["plain-x"]["val"] == {"mse": 0.0, "ssim": 1.0}
    assert summary["autoencoders"]["deep"]["test"]["mse"] == 0.012346
    assert summary["clusterings"]["one"] == {
        "acc": 0.6,  # train has five of each; cluster 0 is matched to the first label
        "nmi": 0.0,
        "ari": 0.0,
        "neighbours": 0.0,
        "purity": 0.6,
        "acc_covered": 0.6,
        "coverage": 1.0,
        "n_clusters_found": 1,
    }


def test_headline_has_the_best_of_each_kind(reported: Reported) -> None:
    """`good` reaches .8 on the five test rows; `deep` is the only trained encoder."""
    headline = json.loads((reported.folder / "results/toy/headline.json").read_text())
    (row,) = (
        r
        for r in read_csv(reported.folder / "results/toy/clusterings.csv")
        if (r["clustering"], r["split"]) == ("good", "test")
    )
    names = ("acc", "nmi", "ari", "purity", "neighbours", "n_clusters_found")
    assert headline["clustering"] == {name: float(f"{float(row[name]):.4g}") for name in names}
    assert headline["clustering"]["acc"] == 0.8
    assert headline["baseline"] == {"acc": 0.6, "nmi": 0}
    assert headline["autoencoder"] == {"mse": 0.01235, "linear_probe": 1}


def test_updates_are_scored_afterwards(reported: Reported) -> None:
    """One cluster holds 11 of 20 of label 0; the other clustering misses one of 20."""
    data = artifacts.read_data(reported.folder / "data/toy")
    folder = reported.folder / "artifacts/toy"
    refined = artifacts.read_clustering(folder, "refined", data)
    scores = tables.updates(data, refined)
    assert scores["ACC"].tolist() == [0.55, 0.95]
    assert scores["NMI"][0] == 0


def test_seeds_by_hand(reported: Reported) -> None:
    """ACC .55, .95, .95; two agree fully and not at all with the first, so 3 is chosen."""
    project, runs = reported
    (row,) = read_csv(project / "results/toy/seeds.csv")
    assert (row["clustering"], row["n_seeds"]) == ("good", "3")
    assert (row["chosen"], row["acc_chosen"], row["acc_best"], row["gap"]) == (
        *("3", "0.95", "0.95", "0"),
    )
    assert float(row["acc_mean"]) == pytest.approx((0.55 + 0.95 + 0.95) / 3, abs=1e-5)
    assert float(row["acc_sd"]) == pytest.approx(0.4 / np.sqrt(3), abs=1e-5)
    assert float(row["agreement"]) == pytest.approx((0 + 0.5 + 0.5) / 3, abs=1e-5)
    assert runs["f-good", "toy"].metrics["seeds/acc_mean"] == pytest.approx(0.8166667)


def test_codes_by_hand(reported: Reported) -> None:
    """All 10 train rows are neighbours, the 5 of the same label nearest: votes tie, 0 is taken,
    and 3 of 5 test labels are 0. A hyperplane separates the two groups."""
    project, _ = reported
    rows = read_csv(project / "results/toy/codes.csv")
    assert [row["autoencoder"] for row in rows] == ["plain-x", "deep"]
    assert rows[1] == {
        "autoencoder": "deep",
        "code_size": "3",
        "mean": "5.25",
        "zeros_fraction": "0.125",
        "active_units": "2.5",
        "dead_units": "1",
        "jacobian_norm": "3.5",
        "linear_probe": "1",
        "knn": "0.6",
        **PRECISION,
        "seed": "7",
    }
    assert rows[0]["jacobian_norm"] == ""
    summary = json.loads((project / "results/toy/summary.json").read_text())
    assert summary["codes"]["deep"] == {"linear_probe": 1.0, "knn": 0.6}


def test_robustness_and_bounds(reported: Reported, x: np.ndarray) -> None:
    results = reported.folder / "results/toy"
    lines = [tuple(row.values()) for row in read_csv(results / "robustness.csv")]
    box = [] if x.ndim == 2 else [("plain-x", "box", "15", "16.5"), ("deep", "box", "15", "16.5")]
    clean = [("plain-x", "clean", "", ""), ("deep", "clean", "", "20")]
    assert sorted(lines) == sorted(clean + box)
    assert (results / "robustness.csv").read_text().startswith("autoencoder,corruption,psnr_in,")
    assert read_csv(results / "variational.csv") == [
        {
            "autoencoder": "deep",
            "elbo": "-101.25",
            "reconstruction": "-90",
            "kl": "11.25",
            "active_units": "2",
            "nll": "99.5",
        }
    ]


def test_nothing_to_tell_leaves_a_header(project: Path) -> None:
    for key in ("plain-x", "deep"):
        file = project / f"artifacts/toy/evaluations/encoders/{key}/scores.json"
        scores = json.loads(file.read_text()) | {"robustness": {}, "variational": None}
        file.write_text(json.dumps(scores))
    report.main()
    results = project / "results/toy"
    header = "autoencoder,corruption,psnr_in,psnr_out\n"
    assert (results / "robustness.csv").read_text() == header
    assert (results / "variational.csv").read_text().startswith("autoencoder,elbo,")
    assert "kl_units" not in (results / "report.html").read_text()
    assert not (results / "figures/all-robustness.png").exists()


def test_runs_of_encoders_get_what_their_stage_could_not_know(
    reported: Reported, x: np.ndarray
) -> None:
    _, runs = reported
    deep, plain = runs["f-deep", "toy"], runs["f-plain-x", "toy"]
    of_pictures = set() if x.ndim == 2 else {"robustness/box", "corrupted/box"}
    probes = {f"test/{name}" for name in ("linear_probe", "knn", *PRECISION)}
    code = {f"code/{n}" for n in ("mean", "zeros_fraction", "active_units", "dead_units")}
    bound = {f"vae/{n}" for n in ("elbo", "reconstruction", "kl", "active_units", "nll")}
    assert set(plain.metrics) == probes | code | of_pictures
    assert set(deep.metrics) == (
        probes | code | bound | of_pictures | {"code/jacobian_norm", "robustness/clean"}
    )
    assert (deep.metrics["test/knn"], deep.metrics["vae/elbo"]) == (0.6, -101.25)
    both = ["neighbours", "map", "pca", "corruptions", "interpolations"]
    assert plain.images == both
    filters = [] if x.ndim == 2 else ["filters"]
    assert deep.images == [*both, "generated", "traversal", *filters, "kl_units"]


def test_rows_that_say_so_are_logged_as_models_with_their_scores(reported: Reported) -> None:
    runs = {name: run for (name, _), run in reported.runs.items()}
    assert {name: run.models for name, run in runs.items() if run.models} == {
        "f-deep": [("deep", b"encoder")],
        "f-good": [("good", b"clustering")],
    }
    for name in ("f-deep", "f-good"):
        assert runs[name].calls == ["metrics", "scores of the model"]


def test_one_label_for_all_leaves_the_linear_probe_out(project: Path) -> None:
    np.save(project / "data/toy/labels.npy", np.zeros_like(LABELS))
    report.main()
    codes = read_csv(project / "results/toy/codes.csv")
    assert [(row["linear_probe"], row["knn"]) for row in codes] == [("", "1"), ("", "1")]


def test_the_stage_has_a_run_with_what_compares_all_rows(reported: Reported) -> None:
    run = reported.runs["report", "toy"]
    assert run.images == ["n_clusters", "code_sizes", "robustness"]
    assert {f"{name}.csv" for name in ("autoencoders", "clusterings", "robustness")} < set(
        run.files
    )


def test_pca_errors_by_hand(tmp_path: Path) -> None:
    """Train rows on the line (t, t): its first component leaves of the test row (3, 1), which is
    (2, 2) on that line, (1, -1): 2 over 2 values. The second component leaves nothing."""
    x = np.array([[0, 0], [2, 2], [4, 4], [3, 1]], np.float32)
    data = artifacts.LabelledData(x, np.array([0, 0, 0, 2]), None)
    np.testing.assert_allclose(tables.pca_errors(data, seed=0), [1, 0], atol=1e-6)


def test_dvc_gets_the_learning_curves_of_what_was_trained(reported: Reported) -> None:
    (file,) = (reported.folder / "results/toy/curves").iterdir()
    assert file.name == "deep.csv"
    assert file.read_text() == "epoch,train/loss,val/loss\n1,3,4\n2,2,3\n"


def test_the_page_shows_every_row_and_its_figures_exist(reported: Reported) -> None:
    results = reported.folder / "results/toy"
    html = (results / "report.html").read_text()
    sources = [part.split('"')[0] for part in html.split('src="')[1:]]
    assert set(sources) == {f"figures/{file.name}" for file in (results / "figures").iterdir()}
    assert {"figures/deep-samples.png", "figures/deep-curves.png", "figures/good-confusion.png"} < (
        set(sources)
    )
    assert html.index(">good</th>") < html.index(">noisy</th>")  # .8 before .6
    assert "10 train, 5 val, 5 test" in html
    assert "stale" not in html
    assert "://" not in html  # nothing is fetched


def test_every_link_of_the_page_leads_to_a_file(reported: Reported) -> None:
    results = reported.folder / "results/toy"
    html = (results / "report.html").read_text()
    assert "documents.csv" in html  # the section that MNIST alone has is there
    links = {unquote(link) for link in re.findall(r'(?:href|src)="([^"#]+)', html)}
    assert "codes.csv" in links
    assert [link for link in links if not (results / link).is_file()] == []


def test_features_of_many_values_have_no_picture(fresh: Reported) -> None:
    """The samples are small pictures; what `deep` encodes are rows of 65 values."""
    file = fresh.folder / "artifacts/toy/encoders/deep/samples.npz"
    rows = np.zeros((4, 65), np.float32)
    np.savez(file, x=rows, noisy=rows, reconstruction=rows)
    report.main()
    names = {file.name for file in (fresh.folder / "results/toy/figures").iterdir()}
    assert {"plain-x-samples.png", "plain-x-interpolations.png", "deep-neighbours.png"} <= names
    assert not names & {f"deep-{name}.png" for name in ("samples", "corruptions", "interpolations")}


def test_the_same_input_gives_the_same_bytes(project: Path) -> None:
    def written(folder: Path) -> dict[str, bytes]:
        files = sorted(folder.rglob("*.*"))
        return {str(f.relative_to(folder)): f.read_bytes() for f in files if f.is_file()}

    report.main()
    first = written(project / "results")
    shutil.rmtree(project / "results")
    report.main()
    assert written(project / "results") == first


def test_without_labels_there_is_no_word_of_them(fresh: Reported) -> None:
    project, runs = fresh
    np.save(project / "data/toy/labels.npy", np.zeros(0, np.int64))
    report.main()
    results = project / "results/toy"
    html = (results / "report.html").read_text()
    assert "This data has no labels" in html
    for absent in ("ACC", "NMI", "Purity", "by label", "confusion", "probe", "P@"):
        assert absent not in html
    figures = {file.name for file in (results / "figures").iterdir()}
    assert "good-clusters.png" in figures
    assert not any("confusion" in name or "labels" in name for name in figures)
    assert {"deep-map.png", "deep-neighbours.png", "all-code_sizes.png"} <= figures
    code = read_csv(results / "codes.csv")[0]
    assert {code[name] for name in ("linear_probe", "knn", *PRECISION)} == {""}
    assert json.loads((results / "summary.json").read_text())["codes"]["deep"] == {}
    assert not any(name.startswith("test/") for name in runs["f-deep", "toy"].metrics)
    row = read_csv(results / "clusterings.csv")[0]
    assert (row["acc"], row["nmi"], row["ari"], row["purity"]) == ("", "", "", "")
    assert float(row["silhouette"]) > 0.5
    assert runs["f-good", "toy"].images == ["clusters", "sheet"]


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("data/toy/labels.npy", "prepare"),
        ("artifacts/toy/encoders/plain-x/codes.npy", "encode"),
        ("artifacts/toy/encoders/deep/history.csv", "encode"),
        ("artifacts/toy/evaluations/encoders/deep/scores.json", "evaluate"),
        ("artifacts/toy/evaluations/encoders/deep/maps.npz", "evaluate"),
        ("artifacts/toy/evaluations/refined/refined/maps.npz", "evaluate"),
        ("artifacts/toy/choose_k/curve.json", "choose_k"),
        ("artifacts/toy/clusterings/good/clusters.npz", "cluster"),
    ],
)
def test_a_missing_file_names_its_stage(project: Path, file: str, stage: str) -> None:
    (project / file).unlink()
    with pytest.raises(UserError, match=rf"{file} is missing; run `dvc repro {stage}`"):
        report.main()
    assert not (project / "results").exists()


def test_artefacts_of_other_data_are_refused(project: Path) -> None:
    np.savez(project / "artifacts/toy/clusterings/one/clusters.npz", clusters=np.zeros(19, int))
    with pytest.raises(UserError, match=r"one/clusters.npz has 19 rows and x.npy has 20"):
        report.main()


def test_the_number_of_clusters_is_told(reported: Reported) -> None:
    project, _ = reported
    rows = read_csv(project / "results/toy/n_clusters.csv")
    assert [list(row.values()) for row in rows] == [
        ["2", "0.5", "0.75", "0.25"],
        ["3", "0.25", "", "0"],
    ]
    html = (project / "results/toy/report.html").read_text()
    assert "Number of clusters" in html
    assert "<b>2 clusters taken; no number near it does about as well.</b>" in html


def test_an_empty_results_file_has_no_lines(tmp_path: Path) -> None:
    write_csv(tmp_path / "empty.csv", [])
    assert (tmp_path / "empty.csv").read_text() == ""


def test_scores_are_rounded_to_five_digits() -> None:
    row = {"split": "test", "acc": 0.1234567, "nmi": None, "n_clusters_found": 3, "seconds": 1.0}
    assert tables.scores(row) == {"acc": 0.12346, "n_clusters_found": 3}


def test_photographs_are_ranked_between_features() -> None:
    """Pixels are noise, the features two groups: only clusters of the features are foretold."""
    draw = np.random.default_rng(0)
    x, groups = draw.random((90, 1, 4, 4)), np.arange(90) % 2
    features = groups[:, None] + 0.01 * draw.random((90, 3))
    noise = (x.reshape(90, -1)[:, 0] > 0.5).astype(int)
    data = artifacts.LabelledData(x, np.arange(90) // 2 % 3, None, features=features)
    info = {"seconds": 1.0, "seed": 0}
    rows = []
    for points in (data.points, data.x):
        voters = {"test": votes.voters(points, data.split, "test")}
        for key, clusters in (("noise", noise), ("groups", groups)):
            clustering = artifacts.ReportedClustering(
                *(key, "e", "c", "i", clusters, info, data.x, None, None, data.split, data.x)
            )
            rows += [
                r
                for r in tables.clustering_rows(clustering, data, voters, 0)
                if r["split"] == "test"
            ]
    assert [row["clustering"] for row in tables.ranked(rows[:2], False)] == ["groups", "noise"]
    assert rows[1]["neighbours"] == 1
    assert rows[3]["neighbours"] < 0.5, "between pixels nothing says that these are groups"
    assert rows[1]["silhouette"] > 0.9 > 0 > rows[0]["silhouette"] - 0.1


def in_worker(x: int, key: str) -> tuple[str, int]:
    if key == "wrong":
        raise UserError("it is wrong")
    return key * x, os.getpid()


def test_its_processes_end_with_what_they_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "ENOUGH_ROWS", 2)
    monkeypatch.setattr(report, "PRELOAD", ())
    monkeypatch.syspath_prepend(Path(__file__).parent)  # where workers find this file
    values = report.in_processes(in_worker, ["a", "b", "c"], 2)
    assert [text for text, _ in values.values()] == ["aa", "bb", "cc"]
    assert list(values) == ["a", "b", "c"]
    workers = {worker for _, worker in values.values()}
    assert os.getpid() not in workers
    assert not any(psutil.pid_exists(worker) for worker in workers)
    with pytest.raises(UserError, match="it is wrong"):
        report.in_processes(in_worker, ["a", "wrong", "c"], 2)
