"""`import narrows as nw`: the pipeline's results without the pipeline, and arrays of any range."""

import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import narrows as nw
from helpers import finished
from helpers.project import ROOT, environment
from narrows.api import rows
from narrows.clustering import choose_k
from narrows.config import plugins
from narrows.errors import UserError

EIGHT = {"cluster", "fit", "load_data", "load_params", "open", "plot", "refine", "score"}
SMALL = {"network": {"name": "mlp", "hidden": [8]}, "code_size": 2, "train": {"epochs": 2}}
GUIDE = (ROOT / "docs/guides/python.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
RUN = """
import sys
import narrows
heavy = {"torch", "numpy", "sklearn", "pydantic", "narrows.api"} & set(sys.modules)
assert not heavy, heavy
for name in ("mlflow", "dvc", "optuna", "ray"):
    sys.modules[name] = None
"""


@pytest.fixture(scope="module")
def blobs() -> np.ndarray:
    """60 points (60, 4) around three places, from 0 to 1 in each column."""
    generator = np.random.default_rng(0)
    centres = np.repeat(np.array([[0, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 1]]), 20, axis=0)
    x = (centres + generator.uniform(-0.05, 0.05, (60, 4))).astype(np.float32)
    low = x.min(axis=0)
    return ((x - low) / (x - low).max(axis=0)).astype(np.float32)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small experiment on digits, finished up to its deep clustering."""
    folder = tmp_path_factory.mktemp("api")
    search = {"row": "narrow", "space": {"code_size": [4, 6]}, "n_trials": 1}
    search["objectives"] = [{"name": "reconstruction"}]
    finished.make(folder, "encode", "cluster", "deep_cluster")
    finished.change(
        folder,
        searches={"tuned": search},
        clusterings={
            **finished.PARAMS["clusterings"],
            "tuned-kmeans": {"encoder": "tuned", "clusterer": finished.KMEANS},
        },
    )
    return folder


def test_the_package_imports_nothing_until_it_is_used_and_then_no_tracker(tmp_path: Path) -> None:
    """The guide's blocks that need no project run, on fewer epochs, without MLflow, DVC, Optuna."""
    blocks = [b for b in BLOCKS if "load_params" not in b]
    assert len(blocks) == 2
    assert all(len(block.splitlines()) <= 12 for block in blocks)
    code = RUN + "".join(blocks)
    assert "40" in code
    short = {"name": "idec", "max_updates": 1, "on_collapse": "start"}
    code = code.replace("40", "1").replace('"idec"', repr(short))
    env = environment(ROOT / "src") | {"XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-W", "error::UserWarning", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "clusters.png").stat().st_size > 1000
    assert len(done.stdout.splitlines()) == 4  # where the data came from, and what is printed


def test_the_face_has_eight_names() -> None:
    assert EIGHT == set(nw.__all__) == {name for name in dir(nw) if not name.startswith("_")}
    assert all(getattr(nw, name).__doc__ for name in EIGHT)
    with pytest.raises(AttributeError, match="no attribute 'found'"):
        nw.found  # noqa: B018
    assert (Path(nw.__file__).parent / "py.typed").exists()


def test_the_pipelines_results_come_back_bit_for_bit(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    p = nw.load_params()
    data = nw.load_data(p.dataset.name)
    assert data.labels()[:3].tolist() == [0, 1, 2]
    assert data.names() is None
    fitted, stored = nw.fit(p.autoencoders["narrow"], data, device="cpu"), nw.open("narrow")
    assert fitted.learned.keys() == stored.learned.keys()
    for name, weight in fitted.learned.items():
        assert torch.equal(weight, stored.learned[name]), name
    for key in ("pca-kmeans", "narrow-kmeans"):
        clusters, done = nw.cluster(p.clusterings[key], data), nw.open(key)
        assert clusters.clusters.tolist() == done.clusters.tolist()
        assert np.array_equal(clusters.codes, done.codes)
        assert done.predict(data.x[900:]).tolist() == done.clusters[900:].tolist()
        assert done.predict(data.x[:3:-1]).tolist() == done.clusters[:3:-1].tolist()
    before = {name: weight.clone() for name, weight in fitted.learned.items()}
    refined = nw.refine(p.deep_clusterings["narrow-dec"], fitted, data, device="cpu")
    done = nw.open("narrow-dec")
    assert refined.clusters.tolist() == done.clusters.tolist()
    assert np.array_equal(refined.codes, done.codes)
    after = fitted.model.state_dict()
    assert all(torch.equal(before[name], weight) for name, weight in after.items())
    assert done.predict(data.x[:50]).tolist() == done.clusters[:50].tolist()
    np.testing.assert_array_equal(done.memberships().argmax(axis=1), done.clusters)


def test_the_guides_block_on_a_project_runs_there(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    (block,) = [b for b in BLOCKS if "load_params" in b]
    exec(compile(block, "guide", "exec"), {})
    assert capsys.readouterr().out.startswith("True [")


def test_a_finished_clustering_describes_new_samples(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A known sample is most similar to itself, and white pictures are odd."""
    monkeypatch.chdir(project)
    done, data = nw.open("pca-kmeans"), nw.load_data("digits")
    described = done.describe(data.x[5:8], n_similar=2)
    assert described.similar[:, 0].tolist() == [5, 6, 7]
    assert described.answer.clusters.tolist() == done.clusters[5:8].tolist()
    assert done.describe(np.full((1, 8, 8), 255)).is_outlier.tolist() == [True]
    row = nw.score(done, data)
    assert row["n"] == 359
    assert 0.5 < row["acc"] < 1
    assert nw.score(done, data, "all")["n"] == 1797


def test_own_pictures_have_their_paths_and_what_was_left_out_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for i in range(12):
        Image.new("L", (8, 8), 20 * i).save(tmp_path / f"{i:02}.png")
    (tmp_path / "12.png").write_bytes(b"no picture")
    data = nw.load_data("image_folder", path=str(tmp_path), size=8, colour=False)
    assert data.names() == [f"{i:02}.png" for i in range(12)]
    assert data.x[:, 0, 0, 0].tolist() == [20 * i for i in range(12)]
    assert re.match(r"image_folder: skipped 1 .*\n", capsys.readouterr().out)
    looked_at = nw.load_data(tmp_path, size=8, colour=False)
    np.testing.assert_array_equal(looked_at.x, data.x)
    (tmp_path / "t.csv").write_text("a;b\n" + "".join(f"{i},5;{i % 7},5\n" for i in range(30)))
    assert nw.load_data(str(tmp_path / "t.csv")).x.shape == (30, 2)
    assert nw.load_data(data.x).names() is None


def test_what_cannot_be_opened_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    with pytest.raises(UserError, match=r"no row 'pca-kmean' \(did you mean 'pca-kmeans'\?\)"):
        nw.open("pca-kmean")
    with pytest.raises(UserError, match=r"encoders/tuned/config.json is missing; run `dvc repro e"):
        nw.open("tuned")
    with pytest.raises(UserError, match=r"winner of a search: hand it over, encoder=nw.open\('tun"):
        nw.cluster(nw.load_params().clusterings["tuned-kmeans"], nw.load_data("digits"))
    np.save("data/digits/split.npy", np.load("data/digits/split.npy")[::-1])
    with pytest.raises(UserError, match="pca-kmeans was made from other data than data/digits"):
        nw.open("pca-kmeans")
    np.save("data/digits/split.npy", np.load("data/digits/split.npy")[::-1])


def test_units_change_no_code(blobs: np.ndarray) -> None:
    """x and 4 x - 2 are the same samples; what is decoded is in the units of each."""
    moved = 4 * blobs.astype(np.float64) - 2  # exactly
    fitted, other = nw.fit(SMALL, blobs), nw.fit(SMALL, moved)
    assert other.scaling.low.tolist() == [-2] * 4
    assert other.scaling.span.tolist() == [4] * 4
    assert np.array_equal(fitted.encode(blobs), other.encode(moved))
    x_hat = 4 * fitted.reconstruct(blobs).astype(np.float64) - 2
    assert np.array_equal(other.reconstruct(moved), x_hat)
    assert np.array_equal(fitted.errors(blobs), other.errors(moved))
    with pytest.raises(UserError, match="another scale"):
        other.encode(nw.load_data(blobs))


def test_a_table_is_clustered_and_refined(blobs: np.ndarray, monkeypatch: Any) -> None:
    """The three places are found: by number, by the number that they show best, and refined."""
    truth = np.repeat(["a", "b", "c"], 20)
    data = nw.load_data(blobs * 1000, labels=truth)
    assert data.labels().tolist() == [0] * 20 + [1] * 20 + [2] * 20
    clusters = nw.cluster({"name": "kmeans", "n_init": 2}, data, n_clusters=3)
    assert nw.score(clusters, data, "all")["acc"] == 1
    assert clusters.recommended is None
    assert clusters.predict(blobs[:1] * 1000).tolist() == clusters.clusters[:1].tolist()
    monkeypatch.setattr(choose_k, "places", lambda codes, seed: codes)
    clusters = nw.cluster("kmeans", data, encoder="identity", n_clusters="auto")
    assert clusters.recommended is not None
    assert clusters.n_clusters == clusters.recommended.n_clusters == 3
    method = {"name": "dec", "max_updates": 2, "interval": 3}
    fitted = nw.fit({**SMALL, "train": {"epochs": 30, "batch_size": 8}}, data)
    assert fitted.history[-1]["epoch"] == len(fitted.history)
    refined = nw.refine({"method": method, "start": "kmeans"}, fitted, data, n_clusters=3)
    assert nw.score(refined, data)["acc"] == 1
    assert refined.history[-1]["update"] == len(refined.history) - 1 >= 1
    assert refined.memberships().shape == (60, 3)


def test_pictures_come_in_three_layouts() -> None:
    x = np.random.default_rng(0).integers(0, 256, (20, 6, 8, 3), np.uint8)
    first, last = nw.load_data(np.moveaxis(x, 3, 1)), nw.load_data(x)
    assert first.x.shape == last.x.shape == (20, 3, 6, 8)
    assert np.array_equal(first.x, last.x)
    assert nw.load_data(x[..., 0]).x.shape == (20, 1, 6, 8)
    fitted = nw.fit({"name": "pca", "code_size": 10}, last)
    assert fitted.is_baseline
    assert np.array_equal(fitted.encode(x), fitted.encode(last))
    x_hat = fitted.reconstruct(x)
    assert x_hat.shape == (20, 3, 6, 8)
    assert 100 < x_hat.mean() < 155  # of 0 to 255
    grey = nw.load_data(np.linspace(-1, 3, 20 * 48).reshape(20, 6, 8))
    assert grey.scaling.low == -1
    assert (grey.x.min(), grey.x.max()) == (0, 1)


def test_results_can_be_pickled_and_leave_the_random_state_alone(blobs: np.ndarray) -> None:
    np.random.seed(3)
    torch.manual_seed(3)
    state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    fitted = nw.fit(SMALL, blobs)
    method = {"name": "dcn", "max_updates": 1, "interval": 2}
    refined = nw.refine(method, fitted, blobs, n_clusters=3)
    assert np.array_equal(np.random.get_state()[1], state)
    assert torch.equal(torch.get_rng_state(), torch_state)
    for result in (fitted, refined):
        again = pickle.loads(pickle.dumps(result))
        assert repr(again) == repr(result)
        assert len(repr(result)) < 120
        verb = "encode" if result is fitted else "predict"
        assert np.array_equal(getattr(again, verb)(blobs), getattr(result, verb)(blobs))


def test_an_interrupted_training_can_be_interrupted_again(blobs: np.ndarray) -> None:
    def stop(epoch: int, metrics: dict[str, float], model: Any) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            nw.fit(SMALL, blobs, on_epoch=stop)
        assert signal.getsignal(signal.SIGINT) is before


def test_pictures_of_results(blobs: np.ndarray) -> None:
    """Samples of four values are four bars, 24 pixels wide and high: six validation samples four
    times as large, and a line of twelve, twice as large, for each cluster; gaps are of two."""
    data = nw.load_data(blobs)
    fitted = nw.fit(SMALL, data)
    clusters = nw.cluster("kmeans", data, n_clusters=3)
    assert nw.plot(fitted, data).size[0] == 6 * 98 - 2
    assert nw.plot(clusters).size == (20 + 12 * 50 - 2, 3 * 50 - 2)
    assert nw.plot(nw.fit({"name": "pca", "code_size": 2}, data), data).size[0] == 6 * 98 - 2
    with pytest.raises(UserError, match="the data are missing"):
        nw.plot(fitted)


@pytest.mark.parametrize("family", rows.USUAL)
def test_a_word_is_a_whole_row(family: str) -> None:
    """Every plug-in that has usual values can be named by a word alone."""
    for name in rows.USUAL[family]:
        row = rows.plugin(family, name)
        assert row.name == name
        assert rows.plugin(family, plugins.resolved(row)) == row


def test_rows_say_only_what_differs() -> None:
    row = rows.encoder_row({"code_size": np.int64(4), "train": {"optimizer": {"name": "sgd"}}})
    assert (row.config.code_size, row.config.train.epochs, row.config.network.name) == (
        4,
        30,
        "mlp",
    )
    assert row.config.train.optimizer.name == "sgd"
    assert rows.with_epochs(row, 5).config.train.epochs == 5
    assert rows.encoder_row("pca").family == "baselines"
    deep, _ = rows.deep_row({"method": "vade", "start": {"name": "gmm", "n_init": 2}})
    assert deep.start.config.covariance == "diag"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: nw.fit({"code_sise": 3}, x), "code_sise is not known .did you mean 'code_size'"),
        (lambda x: nw.fit("convv", x), "autoencoders.name 'convv' is not known"),
        (
            lambda x: nw.fit({"network": "mpl"}, x),
            "network.name 'mpl' is not known .did you mean 'm",
        ),
        (lambda x: nw.fit(SMALL, x, epochs=0), "train.epochs: input should be greater than 0"),
        (lambda x: nw.cluster("kmeans", x), "n_clusters: accepted are auto and numbers from 2 on"),
        (
            lambda x: nw.cluster("kmeans", x, n_clusters=61),
            "n_clusters is 61, but there are 60 rows",
        ),
        (
            lambda x: nw.refine("decc", nw.fit("identity", x), x),
            "'decc' is not known .did you mean 'dec'",
        ),
        (
            lambda x: nw.refine("dec", nw.fit("identity", x), x, n_clusters=3),
            "identity is a baseline and has no torch module",
        ),
        (
            lambda x: nw.refine({"starts": "kmeans"}, nw.fit("identity", x), x),
            "'starts' is not known; accepted are m",
        ),
        (lambda x: nw.fit(SMALL, x.astype(str)), "x should be numbers, found <U"),
        (lambda x: nw.fit(SMALL, x[:, 0]), "found .60,."),
        (lambda x: nw.fit(SMALL, np.full_like(x, np.nan)), "not finite"),
        (lambda x: nw.fit("identity", x).encode(x[:, :3]), "samples are of shape .4,., found"),
        (lambda x: nw.fit("identity", x).encode(x + 1), "values are from 0 to 1, found"),
        (lambda x: nw.load_data(x, size=3), "'size' is an option of a data set, not of an array"),
        (lambda x: nw.load_data(x, labels=[1]), "labels should be .60,. as x, found .1,."),
        (lambda x: nw.load_data(x[:2]), "each split needs at least one row"),
        (lambda x: nw.load_data("digit"), "there is no .*digit; did you mean digits"),
        (
            lambda x: nw.plot(nw.cluster("kmeans", np.eye(65), n_clusters=2)),
            "samples of 65 values have no picture; drawn are pictures",
        ),
        (lambda x: nw.load_data("image_folder"), "path is missing"),
        (
            lambda x: nw.score(nw.fit("identity", x), nw.load_data(x), "tests"),
            "accepted are train, val, test and all, found 'te",
        ),
        (lambda x: nw.load_params("nowhere.yaml"), "nowhere.yaml: no such file here"),
    ],
)
def test_a_mistake_is_a_sentence(
    call: Any, message: str, blobs: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UserError, match=message):
        call(blobs)


def test_a_data_set_by_its_name_is_remembered_outside_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """300 digits of 1,797 are tested on: a sixth; without a seed the splits are always the same."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data, again = nw.load_data("digits", test_fraction=1 / 6), nw.load_data("digits")
    assert np.bincount(data.split).tolist() == [1310, 187, 300]
    assert np.bincount(again.split).tolist() == [1258, 180, 359]
    assert len(capsys.readouterr().out.splitlines()) == 1  # fetched once
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    assert len(nw.load_data("points", n_points=30)) == 30
    assert nw.load_data("points", n_points=30).labels() is None
