"""The ladder, and what MLflow's page says and shows of it."""

import base64
import json
import socket
import zlib
from pathlib import Path
from typing import Any

import pytest

from helpers.pages import clustering, render
from narrows import tracking
from narrows.commands import ui
from narrows.errors import UserError
from narrows.report import claims, run_notes
from narrows.report.ladder import Rung, rungs
from narrows.tracking import views

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


def row(key: str, encoder: str, clusterer: str, acc: float | None) -> dict[str, Any]:
    return clustering(key, encoder, 0.0) | {"clusterer": clusterer, "acc": acc}


LADDER = [
    row("deep-dec", "deep", "dec", 0.75),
    row("pca-gmm", "pca", "gmm", 0.625),
    row("deep-kmeans", "deep", "kmeans", 0.5),
    row("pca-kmeans", "pca", "kmeans", 0.375),
    row("pixels-kmeans", "pixels", "kmeans", 0.25),
]
BASELINES = ["pixels", "pca"]
STARTS = {"deep-dec": "kmeans"}


def test_a_row_has_to_beat_its_start_its_like_and_the_best_baseline() -> None:
    ladder = rungs(LADDER, BASELINES, STARTS)
    assert list(ladder) == ["deep-dec", "deep-kmeans"]  # baselines have nothing below them
    assert [(r.rival, r.acc, r.gain) for r in ladder["deep-dec"]] == [
        ("deep-kmeans", 0.5, 0.25),
        ("pca-kmeans", 0.375, 0.375),
        ("pca-gmm", 0.625, 0.125),
    ]
    assert [(r.rival, r.gain) for r in ladder["deep-kmeans"]] == [
        ("pca-kmeans", 0.125),
        ("pca-gmm", -0.125),
    ]


def test_a_rival_is_named_once_and_without_labels_there_is_no_ladder() -> None:
    ladder = rungs([LADDER[2], LADDER[3]], BASELINES, {})
    assert [r.why for r in ladder["deep-kmeans"]] == ["the same on a baseline"]
    assert rungs([row | {"acc": None} for row in LADDER], BASELINES, STARTS) == {}


def test_the_page_shows_the_ladder_and_the_documents_figures() -> None:
    figures = [
        claims.Claim("DEC, NMI", 0.7652, None, 0),
        claims.Claim("K-means, NMI", 0.4978, 0.5, 2),
    ]
    html = render(
        LADDER, baselines=BASELINES, claims=figures, rungs=rungs(LADDER, BASELINES, STARTS)
    )
    assert '<span class="rung" title="ACC 0.500"><b>+25.0</b> deep-kmeans' in html
    assert '<span class="rung lost" title="ACC 0.625"><b>-12.5</b> pca-gmm' in html
    assert "<td>0.7652</td>\n<td>not yet measured</td>" in html
    assert "<td>0.4978</td>\n<td>0.5000</td><td>2</td>" in html
    assert "The documents" not in render(LADDER)


def test_figures_of_the_documents_are_means_over_seeds(tmp_path: Path) -> None:
    file = tmp_path / "documents.csv"
    file.write_text(
        "seed,nmi_pixels,val_mse,nmi_autoencoder,train_mse,nmi_dec\n"
        "documents,0.5,1,1,1,0.75\n0,0.25,,,,\n1,0.75,,,,\n"
    )
    first, *_, last = claims.read(file)
    assert (first.theirs, first.ours, first.n_seeds) == (0.5, 0.5, 2)
    assert (last.theirs, last.ours, last.n_seeds) == (0.75, None, 0)
    assert claims.read(tmp_path / "none.csv") == []


def test_a_description_tells_the_place_and_the_rivals() -> None:
    rung = Rung("pca-kmeans", "the same on a baseline", 0.375, 0.125)
    note = run_notes.clustering_note(
        "deep-kmeans", LADDER, [rung], False, "get-artifact?path=a.png"
    )
    assert note.startswith("**`deep-kmeans`**: kmeans on the code of `deep`")
    assert "Place 3 of 5 on the test split: ACC 0.500, NMI 0.500." in note
    assert "| `pca-kmeans` | the same on a baseline | 0.375 | +12.5 |" in note
    assert note.endswith("![samples of each cluster](get-artifact?path=a.png)")
    config = {"name": "plain", "network": {"name": "mlp", "hidden": [8, 4]}, "loss": "bce"}
    tests = [{"autoencoder": key, "mse": mse, "code_size": 2} for key, mse in (("a", 1), ("b", 2))]
    note = run_notes.encoder_note("b", config | {"penalty": {"name": "none"}}, tests, [], None)
    assert note.startswith("**`b`**: plain, code of 2, network mlp (hidden 8-4), loss bce\n")
    assert "Place 2 of 2 encoders" in note


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_only_the_runs_of_the_present_rows_are_current(store: Path) -> None:
    data, ids = tracking.RunData("digits", "0123", (1, 2)), []
    for number in range(2):
        with tracking.start_run(f"run {number}", str(number), data, {"stage": "train"}) as run:
            run.log_params({"network": {"name": "conv", "channels": [8, 8, 8]}})
        assert run.id is not None
        ids.append(run.id)
    client = tracking.open_client()
    assert client is not None
    for current in ids:
        trials = views.Trials("study-1", ["code_size"], {"silhouette": "maximize"})
        views.show("digits", {current}, views.tags({"tuned": trials}, created_ms=1))
        experiment = client.get_experiment_by_name("digits")
        runs = client.search_runs([experiment.experiment_id], views.CURRENT)
        assert [run.info.run_id for run in runs] == [current]
    assert runs[0].data.params["depth"] == "3"
    saved = {key.removeprefix(views.TAG): json.loads(v) for key, v in experiment.tags.items()}
    assert {"rows", "encoders", "search-tuned"} <= set(saved)
    kind, _, packed = saved["search-tuned"]["state"].partition(";")
    state = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert kind == "deflate"
    assert state["searchFilter"] == "tags.study = 'study-1' AND tags.stage = 'trial'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`objective/silhouette`", False)
    assert state["compareRunCharts"][0]["selectedParams"] == ["code_size"]
    assert state["compareRunCharts"][0]["selectedMetrics"] == ["objective/silhouette"]
    sections = {section["uuid"] for section in state["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} == sections
    the_page_s_command_line_holds_no_url()


def the_page_s_command_line_holds_no_url() -> None:
    """All users of a machine see it, and a URL may hold a password."""

    class Params:
        class dataset:
            name = "digits"

        searches = ()

    commands = []

    def serve(*words: Any) -> int:
        commands.append(words)
        return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("narrows.config.params.load", Params)
        patch.setattr("narrows.commands._base.serve", serve)
        patch.setattr("narrows.commands._base.check_port", lambda *_: None)
        assert ui.main([]) == 0
    ((command, env),) = commands
    assert not any("://" in word for word in command)
    assert env["MLFLOW_BACKEND_STORE_URI"] == tracking.uri()


def test_a_port_that_is_taken_is_told(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Params:
        class dataset:
            name = "digits"

    monkeypatch.setattr("narrows.config.params.load", Params)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"^port {port} is taken.*--port {port + 1}$"):
            ui.main(["--port", str(port)])
    with pytest.raises(UserError, match=r"^digits has no runs yet"):
        ui.main(["--port", str(port)])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    with pytest.raises(UserError, match=r"^the runs are at http://127\.0\.0\.1:1, whose own page"):
        ui.main([])
