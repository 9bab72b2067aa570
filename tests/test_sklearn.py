"""scikit-learn's own checks of the estimators, and what they say about samples of any range."""

import inspect
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pytorch_lightning.trainer.connectors import callback_connector
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import narrows as nw
from narrows.clustering import choose_k
from narrows.sklearn import Autoencoder, Clustering, DeepClustering
from narrows.store.choices import Recommendation

SMALL = {"network": {"name": "mlp", "hidden": [8]}, "epochs": 1, "device": "cpu"}
DEC = {"name": "dec", "max_updates": 1, "interval": 2, "batch_size": 32}
KMEANS = {"name": "kmeans", "n_init": 1}
ROUNDING = (
    "networks compute in float32, whose last bit depends on a sample's place in its batch, "
    "and the check wants seven digits"
)
ONE_CLUSTER = "the check asks for one cluster, and an encoder cannot be refined towards one"
ROUNDED = ("check_methods_subset_invariance", "check_methods_sample_order_invariance")
SINGLE = ("check_dont_overwrite_parameters", "check_fit2d_1feature", "check_fit2d_predict1d")


def expected_failures(estimator: Any) -> dict[str, str]:
    """By check, the reason for which it may fail."""
    if isinstance(estimator, Clustering):
        return {}
    failures = dict.fromkeys(ROUNDED, ROUNDING)
    if isinstance(estimator, DeepClustering):
        failures |= dict.fromkeys((*SINGLE, ROUNDED[0]), ONE_CLUSTER)
    return failures


@pytest.fixture(autouse=True)
def as_users_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the tests' checker of types, where scikit-learn wants parameters checked in `fit`;
    and without Lightning's look for plug-ins, which takes longer than a training here."""
    for estimator in (Autoencoder, Clustering, DeepClustering):
        monkeypatch.setattr(estimator, "__init__", inspect.unwrap(estimator.__init__))
    monkeypatch.setattr(callback_connector, "_load_external_callbacks", lambda group: [])


@pytest.fixture(scope="module")
def blobs() -> np.ndarray:
    """60 points (60, 3) around three places, from 0 to 8 in each column."""
    generator = np.random.default_rng(0)
    centres = np.repeat(np.array([[0, 0, 0], [8, 8, 0], [0, 8, 8]]), 20, axis=0)
    return np.clip(centres + generator.uniform(-0.5, 0.5, (60, 3)), 0, 8)


@parametrize_with_checks(
    [
        Autoencoder(2, **SMALL),
        Clustering(KMEANS),
        Clustering("hdbscan"),
        DeepClustering(DEC, 3, autoencoder=Autoencoder(2, **SMALL), start=KMEANS, device="cpu"),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_units_change_no_code(blobs: np.ndarray) -> None:
    """x and 1000 + 2 x are the same samples; errors are on the scale from 0 to 1, 8 of x."""
    x = np.round(blobs * 1024) / 1024
    moved = 1024 + 2 * x  # exactly
    first, other = (Autoencoder(2, random_state=0, **SMALL).fit(data) for data in (x, moved))
    assert np.array_equal(first.transform(x), other.transform(moved))
    x_hat = other.inverse_transform(other.transform(moved))
    np.testing.assert_allclose(x_hat, 1024 + 2 * first.inverse_transform(first.transform(x)))
    error = np.square((x_hat - moved) / 16).mean(axis=1)
    np.testing.assert_allclose(other.score_samples(moved), -error, rtol=1e-4)
    assert other.score(moved) == pytest.approx(-error.mean(), rel=1e-4)
    beyond = 1024 + 2 * np.full((1, 3), 80.0)  # ten times the range: its error is not hidden
    assert other.score_samples(beyond)[0] < -50


def test_an_estimator_is_what_fit_gives(blobs: np.ndarray) -> None:
    """With the same held-out samples, and an int as the seed."""
    coder = Autoencoder(2, random_state=3, **SMALL).fit(blobs)
    row = {"code_size": 2, "network": SMALL["network"], "train": {"epochs": 1}}
    data = nw.load_data(blobs)
    split = np.zeros(60, np.uint8)
    split[np.random.default_rng(3).permutation(60)[:8]] = 1  # 60 / 8 is 7.5
    data.split[:] = split
    fitted = nw.fit(row, data, seed=3, device="cpu")
    assert np.array_equal(coder.transform(blobs), fitted.encode(blobs))
    again = Autoencoder(2, random_state=3, **SMALL).fit_transform(blobs)
    assert np.array_equal(coder.transform(blobs), again)
    other = Autoencoder(2, random_state=np.random.RandomState(3), **SMALL).fit_transform(blobs)
    assert not np.array_equal(coder.transform(blobs), other)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_pictures_are_scaled_as_a_whole_and_come_back_in_their_shape(dtype: type) -> None:
    """Bytes from 0 to 255 whatever is in them; other numbers from their least to their largest."""
    x = np.random.default_rng(0).integers(10, 200, (20, 6, 8)).astype(dtype)
    options = SMALL | {"network": {"name": "conv", "channels": [4]}}
    coder = Autoencoder(2, random_state=0, **options).fit(x)
    low, span = (0, 255) if dtype == np.uint8 else (x.min(), np.ptp(x))
    assert (coder.scaling_.low, coder.scaling_.span) == (low, span)
    z = coder.transform(x)
    x_hat = coder.inverse_transform(z)
    assert (z.shape, z.dtype, x_hat.shape, coder.n_features_in_) == (
        (20, 2),
        np.float32,
        x.shape,
        48,
    )
    assert low <= x_hat.min() < x_hat.max() <= low + span
    if dtype != np.uint8:
        flat = Autoencoder(2, random_state=0, sample_shape=(1, 6, 8), **options)
        np.testing.assert_allclose(flat.fit_transform(x.reshape(20, 48)), z, rtol=1e-5)
    with pytest.raises(ValueError, match=r"samples should be of shape \(6, 8\), found \(8, 6\)"):
        coder.transform(x.reshape(20, 8, 6))


def test_pipelines_frames_and_searches(blobs: np.ndarray) -> None:
    coder = Autoencoder(2, random_state=0, **SMALL)
    model = make_pipeline(StandardScaler(), coder, Clustering(KMEANS, 3, random_state=0))
    clusters = model.fit_predict(blobs)
    assert clusters.tolist() == model.predict(blobs).tolist()
    frame = pd.DataFrame(blobs, columns=["a", "b", "c"])
    codes = clone(coder).set_output(transform="pandas").fit_transform(frame)
    assert list(codes.columns) == ["autoencoder0", "autoencoder1"]
    fitted = clone(coder).fit(frame)
    assert fitted.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        fitted.transform(frame.rename(columns={"a": "z"}))
    grid = {"code_size": [1, 2], "optimizer": ["sgd", {"name": "adam", "lr": 0.05}]}
    search = GridSearchCV(coder.set_params(epochs=3), grid, cv=2).fit(blobs)
    assert search.best_params_["optimizer"] == {"name": "adam", "lr": 0.05}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert coder.set_params(code_size=np.int64(1)).fit_transform(blobs).shape == (60, 1)


def test_planted_clusters_are_found(blobs: np.ndarray) -> None:
    """By a clusterer of points, and by one that refines an encoder first."""
    planted = np.repeat([0, 1, 2], 20)
    coder = Autoencoder(2, random_state=0, **{**SMALL, "epochs": 60}, batch_size=8, patience=None)
    deep = DeepClustering(DEC, 3, autoencoder=coder, start=KMEANS, device="cpu", random_state=0)
    for model in (Clustering(n_clusters=3, random_state=0), deep):
        clusters = model.fit_predict(blobs)
        assert len(set(zip(clusters, planted, strict=True))) == 3
        assert model.predict(blobs).tolist() == clusters.tolist()
        shares = model.predict_proba(blobs)
        assert shares.argmax(axis=1).tolist() == clusters.tolist()
        np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
        again = pickle.loads(pickle.dumps(model))
        assert again.predict(blobs).tolist() == clusters.tolist()
    assert deep.transform(blobs).shape == (60, 2)
    assert "fitted_" not in vars(coder)  # its clone was trained


def test_the_number_of_clusters_may_be_chosen(
    blobs: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three blobs are three clusters; codes are looked at in the same way, here as if they showed
    four."""
    model = Clustering(n_clusters="auto", random_state=0).fit(blobs)
    assert model.n_clusters_ == model.recommended_.n_clusters == 3
    assert model.recommended_.is_clear
    assert model.predict_proba(blobs).shape == (60, 3)
    best = Recommendation(4, 3, 5, (), strength=0.3, is_clear=True)
    monkeypatch.setattr(choose_k, "compare", lambda codes, largest, seed: ([], best))
    coder = Autoencoder(2, **SMALL)
    deep = DeepClustering(DEC, "auto", autoencoder=coder, start=KMEANS, device="cpu").fit(blobs)
    assert deep.recommended_ is best
    assert deep.predict_proba(blobs).shape == (60, 4)
    assert 2 <= deep.n_clusters_ <= 4
    five = Clustering(KMEANS, 5).fit(blobs)
    assert (five.n_clusters_, five.recommended_) == (5, None)
    monkeypatch.setattr(choose_k, "compare", lambda codes, largest, seed: ([], None))
    with pytest.raises(ValueError, match="n_clusters is auto, but the codes show no clusters"):
        model.fit(blobs)


def test_only_clusterers_with_memberships_have_probabilities(blobs: np.ndarray) -> None:
    assert Clustering("gmm", 3).fit(blobs).predict_proba(blobs).shape == (60, 3)
    noise = Clustering({"name": "dbscan", "eps": 1e-3, "min_samples": 5}).fit(blobs)
    assert set(noise.labels_) == {-1}
    with pytest.raises(AttributeError, match="has no attribute 'predict_proba'"):
        noise.predict_proba(blobs)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (Autoencoder(0), "code_size: input should be greater than 0, found 0"),
        (Autoencoder(network="mpl"), r"'mpl' is not known \(did you mean 'mlp'\?\)"),
        (Autoencoder(kind={"name": "plain", "beta": 2.0}), "beta is not known"),
        (Autoencoder(validation_fraction=1.0), "validation_fraction: in"),
        (Autoencoder(sample_shape=(1, 2, 2)), "of 1 or 3 channels and here of 3 values"),
        (Autoencoder(loss="mse", output_activation="tanh"), "output_activation"),
        (
            Autoencoder(device="cuda:9"),
            "device: accepted are auto, cpu, cuda and mps, found 'cuda:9'",
        ),
        (Clustering(n_clusters=61), "n_clusters is 61, but there are 60 rows"),
        (Clustering(n_clusters="many"), "are auto and numbers from 1 on, found 'many'"),
        (Clustering("kmean"), r"'kmean' is not known \(did you mean 'kmeans'\?\)"),
        (DeepClustering("vade", 3, autoencoder=Autoencoder(2, **SMALL)), "name: variational"),
    ],
)
def test_a_mistake_is_a_value_error(estimator: Any, message: str, blobs: np.ndarray) -> None:
    with pytest.raises(ValueError, match=message):
        estimator.fit(blobs)


def test_values_too_far_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="too far apart for a float64"):
        Autoencoder(1, **SMALL).fit(np.array([[1e308], [-1e308], [0.0]]))
