"""Which clustering becomes champion, and what MLflow answers with it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mlflow.models import Model

from helpers import finished
from narrows import __main__, tracking
from narrows.clustering import saved, votes
from narrows.commands import apply, predict, promote
from narrows.config import params
from narrows.errors import UserError
from narrows.stages import report
from narrows.store import clusterings
from narrows.store.encoders import StoredEncoder
from narrows.tracking import models, promotion, registry, served

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("promotion")
    finished.make(folder, "encode", "cluster")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        patch.setattr(promote, "_require_current_seeds", lambda: None)  # there is no DVC here
        yield folder


def test_votes_of_neighbours_by_hand() -> None:
    """Four validation samples; the neighbours of the last vote for the other cluster. Clusters
    0, 0, 1, 1 and votes 0, 0, 1, 0: of 6 pairs 2 and 3 are together, 1 in both, so the index is
    (1 - 2 * 3 / 6) / ((2 + 3) / 2 - 1) = 0; with noise for the last one it is 1, of 3/4."""
    four = votes.Voters(np.arange(2, 6), np.array([[0], [0], [1], [0]]))
    assert votes.neighbours(np.array([0, 1, 0, 0, 1, 1]), four) == pytest.approx(0)
    assert votes.neighbours(np.array([0, 1, 0, 0, 1, -1]), four) == pytest.approx(0.75)
    assert votes.neighbours(np.zeros(6, int), four) == 0  # one cluster tells nothing


def test_a_gain_within_the_spread_is_none() -> None:
    """Deviations of 1 and four seeds each: two standard errors are 2 sqrt(1/2) = 1.414."""
    old = [-(1.5**0.5), 0.0, 0.0, 1.5**0.5]
    assert promotion.is_better([v + 1.5 for v in old], old)[0]
    assert not promotion.is_better([v + 1.4 for v in old], old)[0]
    assert not promotion.is_better([v - 9 for v in old], old)[0]


def test_what_is_missing_is_told(project: Path) -> None:
    with pytest.raises(UserError, match="pca-kmeans has results of 1 seeds, a champion needs 5"):
        promote.main(["pca-kmeans"])
    with pytest.raises(UserError, match=r"run `dvc repro deep_cluster`"):
        promote.main(["narrow-dec"])
    with pytest.raises(UserError, match="'none' is no row of clusterings"):
        promote.main(["none"])
    assert registry.champion("digits") is None


def seeds(key: str) -> None:
    """Clusters under four more seeds, as stage seeds leaves them."""
    artifacts = Path("artifacts/digits")
    own = clusterings.open_clustering(artifacts, key).clusters
    for seed in range(1, 5):
        folder = clusterings.seed_folder(artifacts, seed, key)
        folder.mkdir(parents=True)
        clusters = np.where(np.arange(len(own)) % 50 == seed, 0, own)
        clusterings.write(folder, {}, {}, clusters)


def test_only_the_better_one_becomes_champion(project: Path, capsys) -> None:
    seeds("pca-kmeans")
    assert promote.main(["pca-kmeans"]) == 0
    assert "pca-kmeans is models:/narrows-digits@champion now, version 1" in capsys.readouterr().out
    assert promote.main(["pca-kmeans"]) == 0
    assert "is the champion already" in capsys.readouterr().out

    seeds("narrow-kmeans")
    assert promote.main(["narrow-kmeans"]) == 3
    output = capsys.readouterr().out
    assert "narrow-kmeans is not promoted: 0." in output
    assert "lower; more than 0.0" in output
    version, champion = registry.champion("digits") or ("", None)
    assert (version, champion and champion.clustering) == ("1", "pca-kmeans")
    assert promote.main(["narrow-kmeans", "--anyway"]) == 0
    assert promote.main(["pca-kmeans"]) == 0
    model_version = tracking.open_client().get_model_version_by_alias("narrows-digits", "champion")
    assert (str(model_version.version), model_version.tags["clustering"]) == ("3", "pca-kmeans")
    run = tracking.open_client().get_run(model_version.run_id)
    assert run.info.run_name == "pca-kmeans"
    logged = {file.suffix for file in Path(project / "mlruns/artifacts/digits/models").rglob("*")}
    assert ".npz" in logged
    assert not logged & {".pkl", ".pickle", ".joblib"}


def test_run_model_and_versions_name_one_another(project: Path) -> None:
    """The third version is of the first one's model: the files are the same."""
    client = tracking.open_client()
    version = client.get_model_version_by_alias("narrows-digits", "champion")
    run = client.get_run(version.run_id)
    (output,) = run.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert version.source == f"models:/{model.model_id}"
    assert (model.name, model.status, model.source_run_id) == (
        *("pca-kmeans", "READY"),
        version.run_id,
    )
    versions = json.loads(model.tags["mlflow.modelVersions"])
    assert [(own["name"], own["version"]) for own in versions] == [
        *(("narrows-digits", "1"), ("narrows-digits", "3"))
    ]
    assert model.params["clusterer"] == "kmeans"
    scores = {metric.key: metric for metric in model.metrics}
    assert scores.keys() == {"seconds", "val/neighbours"}
    of_data = {(metric.dataset_name, metric.dataset_digest) for metric in model.metrics}
    (data,) = run.inputs.dataset_inputs
    assert of_data == {("digits", data.dataset.digest)}
    described = Model.load(model.artifact_location.removeprefix("file://"))
    assert (described.run_id, described.model_id) == (version.run_id, model.model_id)
    assert described.signature.inputs.input_types() == [np.dtype(np.float32)]
    assert described.signature.outputs.input_names()[:2] == ["code", "cluster"]
    assert described.saved_input_example_info["type"] == "ndarray"


def logged_encoder(key: str) -> str:
    """Id of the model of a row that says `log_model: true`, as stage report logs it."""
    artifacts, data = Path("artifacts/digits"), Path("data/digits")
    stored = StoredEncoder(artifacts / "encoders" / key)
    run_data = tracking.RunData("digits", stored.config["data_digest"], (1797, 1, 8, 8))
    served = models.of_encoder(artifacts, data, key)
    with tracking.amend_run(stored.identity, run_data) as run:
        report.log_model(run, served)
        run_id = run.id
    return models.find(tracking.open_client(), run_id, served.fingerprint) or ""


def test_an_encoder_is_a_model_too(project: Path) -> None:
    """Logged once, however often the report is written, with what its run has measured once."""
    model_id = logged_encoder("narrow")
    assert logged_encoder("narrow") == model_id
    client = tracking.open_client()
    model = client.get_logged_model(model_id)
    (output,) = client.get_run(model.source_run_id).outputs.model_outputs
    assert output.model_id == model_id
    keys = {metric.key for metric in model.metrics}
    assert "val/mse" in keys
    assert "val/loss" not in keys, "which is that of the last epoch"
    place = Path(model.artifact_location.removeprefix("file://")) / "artifacts/encoder"
    assert not list(place.rglob("codes.npy"))
    row = served.Served()
    row.load_context(SimpleNamespace(artifacts={"encoder": str(place)}))
    x = np.load("data/digits/x.npy")[:3]
    answer = row.predict(None, x)
    expected = np.load("artifacts/digits/encoders/narrow/codes.npy")[:3]
    np.testing.assert_allclose(np.stack(answer["code"]), expected, atol=1e-5)
    assert list(answer) == ["code", "reconstruction_error"]


def test_a_run_that_is_replaced_takes_its_model_along(project: Path) -> None:
    """But for one that is registered."""
    client, stored = tracking.open_client(), StoredEncoder(Path("artifacts/digits/encoders/narrow"))
    model = client.get_logged_model(logged_encoder("narrow"))
    models.drop(client, model.source_run_id)
    assert models.find(client, model.source_run_id, model.tags["fingerprint"]) is None
    version = client.get_model_version_by_alias("narrows-digits", "champion")
    models.drop(client, version.run_id)
    assert client.get_logged_model(version.source.removeprefix("models:/")).status == "READY"
    assert tracking.find_run(stored.identity, "digits").id == model.source_run_id


def test_a_model_that_does_not_arrive_whole_is_none(project: Path) -> None:
    client = tracking.open_client()
    run_id = tracking.find_run(
        StoredEncoder(Path("artifacts/digits/encoders/pca")).identity, "digits"
    ).id
    with pytest.raises(zipfile.BadZipFile):
        models.log(client, run_id, "pca", "f0", b"no zip")
    assert models.find(client, run_id, "f0") is None


def test_files_are_predicted_where_no_project_is(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    expected = np.load("artifacts/digits/clusterings/pca-kmeans/clusters.npz")["clusters"][:5]
    codes = np.load("artifacts/digits/encoders/narrow/codes.npy")[:5]
    np.save(tmp_path / "new.npy", np.load("data/digits/x.npy")[:5])
    encoder = logged_encoder("narrow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/mlruns/mlflow.db")
    monkeypatch.chdir(tmp_path)
    assert predict.main(["--model", "models:/narrows-digits@champion", "new.npy"]) == 0
    out, err = capsys.readouterr()
    lines = [line.split(",") for line in out.splitlines()]
    assert lines[0] == "path name cluster membership distance error skipped".split()
    assert [int(line[2]) for line in lines[1:]] == expected.tolist()
    assert "predict: 5 samples by pca-kmeans" in err
    assert predict.main(["--model", f"models:/{encoder}", "new.npy", "--to", "codes.csv"]) == 0
    table = np.genfromtxt("codes.csv", delimiter=",", skip_header=1)
    np.testing.assert_allclose(table[:, 2 : 2 + codes.shape[1]], codes, atol=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["codes.csv", "new.npy"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "narrows-digits"], "--model is 'narrows-digits'; accepted are models:/"),
        (["--model", "models:/none@champion"], r"says: Registered [Mm]odel .*not found"),
        (["--model", "models:/narrows-digits@x", "--to", "page"], "accepted are names that end in"),
        (["--model", "models:/narrows-digits@champion"], "there is no new.npy"),
    ],
)
def test_a_model_that_cannot_answer_is_said(project: Path, words: list[str], message: str) -> None:
    Path("new.npy").unlink(missing_ok=True)
    with pytest.raises(UserError, match=message):
        predict.main([*words, "new.npy"])


def test_predicting_makes_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(
        UserError, match=r"there is no MLflow store sqlite:///.*MLFLOW_TRACKING_URI"
    ):
        predict.main(["--model", "models:/narrows-digits@champion", "new.npy"])
    assert not list(tmp_path.iterdir())


def test_other_splits_and_other_numbers_of_clusters_do_not_compare(project: Path) -> None:
    p = params.load()
    chosen = promotion.candidate(p, "pca-kmeans", Path("artifacts/digits"), Path("data/digits"))
    for changed in ({"data_digest": "other"}, {"n_clusters": 3}):
        other = promotion.Candidate(**{**vars(chosen), **changed, "figures": [0.0] * 4 + [0.1]})
        good, why = promote._is_better(chosen, other)
        assert not good
        assert "--anyway replaces it" in why


def test_the_champion_is_applied_to_new_samples(project: Path, capsys) -> None:
    np.save("new.npy", np.load("data/digits/x.npy")[:5])
    expected = np.load("artifacts/digits/clusterings/pca-kmeans/clusters.npz")["clusters"][:5]
    apply.main(["--run", "champion", "new.npy", "-n", "1"])
    lines = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    assert [int(line[2]) for line in lines[1:]] == expected.tolist()
    assert [line[lines[0].index("similar_1")] for line in lines[1:]] == [
        f"row {row}" for row in range(1, 6)
    ]
    Path("new.txt").touch()
    with pytest.raises(UserError, match=r"new samples of this dataset come as \.npy"):
        apply.main(["--run", "pca-kmeans", "new.txt"])


class Touch:
    """Unpickled, it makes a file."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("touched"),))


def test_weights_run_no_code(project: Path) -> None:
    file = Path("artifacts/digits/encoders/narrow/weights.pt")
    weights = file.read_bytes()
    torch.save(Touch(), file)
    with pytest.raises(UserError, match="holds more than weights"):
        saved.load(Path("artifacts/digits"), "narrow-kmeans")
    assert not Path("touched").exists()
    file.write_bytes(weights)


def test_commands_are_told() -> None:
    with pytest.raises(UserError, match="no command 'nothing'; usage"):
        __main__.main("nothing")
    for name in __main__.COMMANDS:
        assert callable(import_module(f"narrows.commands.{name}").main)


def ask(port: int, body: Any) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)["predictions"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)["message"]


def wait_until_free(port: int) -> None:
    """Nobody answers there any more."""
    for _ in range(240):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.25)
    raise AssertionError(f"port {port} still answers")


def server(port: int) -> subprocess.Popen[bytes]:
    """The server, once it answers."""
    command = [sys.executable, "-m", "narrows", "serve", "--port", str(port)]
    env = {**os.environ, "PYTHONPATH": str(finished.ROOT / "src"), "PYTHONWARNINGS": "ignore"}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=env, stdout=quiet, stderr=quiet)
    for _ in range(960):
        assert process.poll() is None
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).close()
            return process
        except OSError:
            time.sleep(0.25)
    raise AssertionError("the server does not answer")


def test_the_champion_answers_one_and_a_thousand_and_after_a_kill(project: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    x = np.load("data/digits/x.npy")
    expected = saved.load(Path("artifacts/digits"), "pca-kmeans").describe(x[:1000])
    process = server(port)
    try:
        status, (answer,) = ask(port, {"inputs": x[:1].tolist()})
        assert status == 200
        assert answer["cluster"] == expected.clusters[0]
        assert answer["code"] == pytest.approx(expected.codes[0].tolist(), abs=1e-5)
        assert answer["soft"] == pytest.approx(expected.soft[0].tolist(), abs=1e-5)
        assert answer["distance"] == pytest.approx(expected.distances[0], abs=1e-5)
        assert answer["reconstruction_error"] == pytest.approx(expected.errors[0], abs=1e-5)
        process.kill()
        process.wait()
        wait_until_free(port)  # what `serve` has started ends with it
        process = server(port)
        status, all_of_them = ask(port, {"inputs": x[:1000].tolist()})
        assert [answer["cluster"] for answer in all_of_them] == expected.clusters.tolist()
        for wrong, sentence in (
            (x[:1, :, :4].tolist(), "(1, 1, 4, 8) does not match expected shape (-1, 1, 8, 8)"),
            ((x[:1] / 255).tolist(), "pixels are whole numbers from 0 to 255, found 0.3"),
            ([[["a"]]], "could not convert string to float: 'a'"),
        ):
            status, message = ask(port, {"inputs": wrong})
            assert status == 400
            assert sentence in message
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    wait_until_free(port)
