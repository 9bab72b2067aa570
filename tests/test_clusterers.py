"""Clusterers by hand, and on codes that no encoder should make but some do.

What all of them keep to is in test_contracts.py.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from helpers.plugins import members, plugin
from narrows.clustering import centres, mixture, neighbours, umap
from narrows.config import plugins
from narrows.config.plugins import Plugin
from narrows.errors import UserError

SIX = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]], dtype=np.float32)


def clusterer(name: str, **options: Any) -> Plugin:
    return Plugin("clusterers", name, plugins.load("clusterers", name).Config(**options))


def fitted(chosen: Plugin, z: np.ndarray, n_clusters: int = 2) -> dict[str, np.ndarray]:
    return chosen.module.fit(chosen.config, z, n_clusters, seed=0)


def clusters_of(chosen: Plugin, z: np.ndarray, n_clusters: int = 2) -> np.ndarray:
    return chosen.module.predict(fitted(chosen, z, n_clusters), z)


def agreement(clusters: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy of two clusters, whichever of them is called 0."""
    same = float(np.mean(clusters == labels))
    return max(same, 1 - same)


@pytest.mark.parametrize(
    "chosen",
    [
        clusterer("kmeans", n_init=3),
        clusterer("minibatch_kmeans", batch_size=6, n_init=3),
        clusterer("gmm", covariance="full", n_init=3),
        clusterer("agglomerative", linkage="ward", n_neighbors=2),
        clusterer("agglomerative", linkage="average", n_neighbors=20),
        clusterer("agglomerative", linkage="complete", n_neighbors=1),
        clusterer("spectral", n_neighbors=2),
        clusterer("spectral", n_neighbors=3),
        clusterer("hdbscan", min_cluster_size=3, min_samples=2),
        clusterer("umap_gmm"),
        clusterer("umap_hdbscan", min_cluster_size=3, min_samples=2),
    ],
    ids=lambda c: c.name,
)
def test_six_points_make_two_clusters_and_a_new_one_joins_its_neighbours(chosen: Plugin) -> None:
    """0, 1, 2 and 10, 11, 12: 3 is 1 from the first three, 8 is 2 from the others.

    Six codes are their own map, where 3 keeps its place: of six weights 1 / distance the mean is
    (0/3 + 1/2 + 2/1 + 10/7 + 11/8 + 12/9) / (1/3 + 1/2 + 1 + 1/7 + 1/8 + 1/9) = 3.0.
    """
    state = fitted(chosen, SIX)
    a, b = chosen.module.predict(state, SIX)[[0, 5]]
    assert a != b
    assert chosen.module.predict(state, SIX).tolist() == [a, a, a, b, b, b]
    new = np.array([[3.0], [8.0]], dtype=np.float32)
    assert chosen.module.predict(state, new).tolist() == [a, b]


def test_kmeans_centres_are_means() -> None:
    for name, options in (("kmeans", {}), ("minibatch_kmeans", {"batch_size": 6})):
        centres = fitted(clusterer(name, n_init=3, **options), SIX)["centres"]
        assert np.sort(centres, axis=0).ravel() == pytest.approx([1.0, 11.0], abs=0.5)


class TestGaussians:
    """Two stretched Gaussians at 45 degrees: no axis is theirs."""

    @staticmethod
    def turned(x: np.ndarray, degrees: float) -> np.ndarray:
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        return x @ np.array([[c, s], [-s, c]])

    def stretched(self, length: float) -> np.ndarray:
        """300 points with standard deviations `length` and 1."""
        return np.random.default_rng(0).normal(size=(300, 2)) * [length, 1.0]

    def side_by_side(self) -> np.ndarray:
        """4 standard deviations to either side of the gap: 3 in 100,000 lie beyond it."""
        x, up = self.stretched(5.0), np.array([0.0, 4.0])
        return self.turned(np.concatenate([x - up, x + up]), 45).astype(np.float32)

    def test_side_by_side_they_need_a_covariance_but_not_two(self) -> None:
        z, labels = self.side_by_side(), np.repeat([0, 1], 300)
        agreements = {
            kind: agreement(clusters_of(clusterer("gmm", covariance=kind, n_init=3), z), labels)
            for kind in ("full", "tied", "diag")
        }
        assert agreements["full"] == agreements["tied"] == 1.0
        assert agreements["diag"] < 0.8
        assert agreement(clusters_of(clusterer("kmeans", n_init=3), z), labels) < 0.8

    def test_crossed_they_need_one_each(self) -> None:
        x = self.stretched(10.0)
        z = np.concatenate([self.turned(x, 45), self.turned(x, -45)]).astype(np.float32)
        labels = np.repeat([0, 1], 300)
        agreements = {
            kind: agreement(clusters_of(clusterer("gmm", covariance=kind, n_init=3), z), labels)
            for kind in ("full", "tied")
        }
        assert agreements["full"] > 0.85  # the others lie where the two cross
        assert agreements["tied"] < 0.7
        assert agreement(clusters_of(clusterer("kmeans", n_init=3), z), labels) < 0.7

    def test_the_scale_of_a_code_changes_nothing(self) -> None:
        z, chosen = self.side_by_side(), clusterer("gmm", covariance="full", n_init=1)
        small = clusters_of(chosen, z * np.float32(2**-30))
        assert small.tolist() == clusters_of(chosen, z).tolist()


def rings() -> tuple[np.ndarray, np.ndarray]:
    """40 points on a circle of radius 1 and 80 on one of 4 around it, and which is which."""
    angles = np.concatenate([np.arange(40) / 40, np.arange(80) / 80]) * 2 * np.pi
    labels = np.repeat([0, 1], [40, 80])
    radii = np.array([1.0, 4.0])[labels]
    z = radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return z.astype(np.float32), labels


def test_spectral_separates_rings_that_kmeans_cuts() -> None:
    z, labels = rings()
    chosen = clusterer("spectral", n_neighbors=5)
    state = fitted(chosen, z)
    assert agreement(chosen.module.predict(state, z), labels) == 1.0
    assert agreement(clusters_of(clusterer("kmeans", n_init=3), z), labels) < 0.8
    new = np.array([[0.0, 2.0], [0.0, 3.0]], dtype=np.float32)  # nearer to 1, nearer to 4
    assert (
        chosen.module.predict(state, new).tolist()
        == chosen.module.predict(state, z[[0, 40]]).tolist()
    )


class TestDbscan:
    def test_only_a_core_takes_new_codes(self) -> None:
        """Three within 1 make a core: 1 only. 2.5 is 0.5 from the border code 2, but no core."""
        chosen = clusterer("dbscan", eps=1.0, min_samples=3)
        z = np.array([[0.0], [1.0], [2.0], [10.0]], dtype=np.float32)
        state = fitted(chosen, z)
        assert state["codes"].tolist() == [[1.0]]
        assert chosen.module.predict(state, z).tolist() == [0, 0, 0, -1]
        new = np.array([[1.9], [2.5], [10.0]], dtype=np.float32)
        assert chosen.module.predict(state, new).tolist() == [0, -1, -1]

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_border_code_joins_the_nearest_core_in_any_order(self, order: int) -> None:
        """0.8 has three codes within 1, itself included: no core. 0 is at 0.8, 1.7 at 0.9."""
        z = np.array([-0.9, -0.6, -0.3, 0.0, 0.8, 1.7, 2.0, 2.3, 2.6], dtype=np.float32)[:, None]
        clusters = clusters_of(clusterer("dbscan", eps=1.0, min_samples=4), z[::order])[::order]
        a, b = clusters[[0, -1]]
        assert a != b
        assert clusters.tolist() == [a, a, a, a, a, b, b, b, b]

    def test_without_eps_it_takes_the_knee(self) -> None:
        """Distances to the second are 1, 1, 1, 1, 8: the knee is the last 1, and 10 is noise."""
        z = np.array([[0.0], [1.0], [2.0], [10.0], [-1.0]], dtype=np.float32)
        state = fitted(clusterer("dbscan", eps=None, min_samples=2), z)
        assert state["eps"] == 1.0
        assert plugins.load("clusterers", "dbscan").predict(state, z).tolist() == [0, 0, 0, -1, 0]

    def test_fewer_codes_than_make_a_core_are_noise(self) -> None:
        for eps in (100.0, None):
            clusters = clusters_of(clusterer("dbscan", eps=eps, min_samples=7), SIX)
            assert clusters.tolist() == [-1] * 6


def test_hdbscan_finds_clusters_of_two_densities_and_the_noise() -> None:
    """Steps of 1 and of 0.01: no eps fits both. 300 leaves before these two part at 91."""
    z = np.concatenate([np.arange(10), 100 + np.arange(10) / 100, [300]]).astype(np.float32)
    chosen = clusterer("hdbscan", min_cluster_size=5, min_samples=2)
    state = fitted(chosen, z[:, None])
    clusters = chosen.module.predict(state, z[:, None])
    a, b = clusters[[0, 10]]
    assert {a, b} == {0, 1}
    assert clusters.tolist() == [a] * 10 + [b] * 10 + [-1]
    new = np.array([[290.0], [98.0]], dtype=np.float32)
    assert chosen.module.predict(state, new).tolist() == [-1, b]


class TestNearest:
    def test_a_known_code_is_its_own_neighbour_whatever_rounding_says(self) -> None:
        """Squared norms of 3e8 leave nothing of squared distances of 1e-6."""
        rng = np.random.default_rng(0)
        codes = (1000 + rng.normal(size=(50, 300)) * 1e-4).astype(np.float32)
        codes = codes[neighbours.distinct(codes)[0]]
        distances, near = neighbours.nearest_known(codes, codes, 1)
        assert near[:, 0].tolist() == list(range(len(codes)))
        assert not distances.any()

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("n_features", [1, 7, 40])
    def test_distinct_codes_are_those_of_a_dictionary_of_bytes(self, dtype, n_features) -> None:
        """Repeated codes, zeros of both signs, numbers that are none, columns of a larger array."""
        rng = np.random.default_rng(0)
        z = rng.integers(-1, 2, (300, 2 * n_features)).astype(dtype)[:, ::2] / 3
        z[rng.random(z.shape) < 0.1] = -0.0
        z[rng.integers(0, 300, 9)] = np.nan
        z[250:] = z[:50]
        seen: dict[bytes, int] = {}
        sets = [seen.setdefault(row.tobytes(), len(seen)) for row in z]
        rows, numbers = neighbours.distinct(z)
        assert numbers.tolist() == sets
        assert rows.tolist() == [sets.index(i) for i in range(len(seen))]

    @pytest.mark.parametrize("n_features", [1, 7, 40])
    def test_nearest_known_is_a_search_with_every_known_code_put_first(self, n_features) -> None:
        """A code that is known twice is its last place, as a dictionary would have it."""
        rng = np.random.default_rng(0)
        codes = np.round(rng.normal(size=(200, n_features)), 1).astype(np.float32)
        codes[150:] = codes[:50]
        z = np.concatenate([codes[rng.permutation(200)[:90]], codes[:30] + np.float32(0.01)])
        expected, rows = NearestNeighbors(n_neighbors=4).fit(codes).kneighbors(z)
        places = {row.tobytes(): place for place, row in enumerate(codes)}
        for i, row in enumerate(z):
            if (own := places.get(row.tobytes())) is not None:
                expected[i, 0], rows[i, 0] = 0, own
        distances, near = neighbours.nearest_known(codes, z.astype(np.float64), 4)
        assert np.array_equal(near, rows)
        assert np.array_equal(distances, expected)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_the_search_is_the_same_whether_distances_are_wanted_or_not(self, dtype) -> None:
        codes = np.random.default_rng(0).normal(size=(300, 20)).astype(np.float32)
        codes[200:] = codes[:100]
        search = NearestNeighbors(n_neighbors=9, algorithm="brute").fit(codes)
        z = codes[::3].astype(dtype)
        expected = search.kneighbors(z, return_distance=False)
        assert np.array_equal(neighbours.nearest(codes, z, 9), expected)
        expected = search.kneighbors(return_distance=False)
        assert np.array_equal(neighbours.nearest(codes, None, 9), expected)

    def test_no_code_has_a_neighbour_where_it_is_alone(self) -> None:
        assert neighbours.nearest(np.zeros((1, 3)), None, 5).shape == (1, 0)

    def test_equal_codes_share_a_cluster_and_zero_has_no_sign(self) -> None:
        z = neighbours.finite(np.array([[0.0], [5.0], [-0.0]], dtype=np.float32))
        state = neighbours.known_codes(z, np.array([3, 4, 9]))
        assert state["clusters"].tolist() == [3, 4]
        assert neighbours.nearest_cluster(state, -z).tolist() == [3, 3, 3]
        assert neighbours.nearest_cluster(state, z).tolist() == [3, 4, 3]


class TestMap:
    def test_a_new_code_comes_between_its_neighbours(self) -> None:
        """Codes 0, 3, 9 at 0, 30, -90; of 1 the two nearest weigh 1 and 1/2: 15 / 1.5 = 10."""
        state = {
            "codes": np.array([[0.0], [3.0], [9.0]], dtype=np.float32),
            "places": np.array([[0.0], [30.0], [-90.0]], dtype=np.float32),
            "n_neighbors": np.array(2),
        }
        z = np.array([[1.0], [3.0], [9.0]], dtype=np.float32)
        assert umap.place(state, z).ravel() == pytest.approx([10.0, 30.0, -90.0])

    def test_training_codes_keep_the_clusters_found_in_the_map(self) -> None:
        """Codes in 40 dimensions, a third of them twice; and the map is UMAP's, not the codes."""
        z = np.random.default_rng(0).normal(size=(90, 40)).astype(np.float32)
        z[60:] = z[:30]
        cfg = umap.Map(n_components=2, n_neighbors=5)
        state, places = umap.fit_map(cfg, z, seed=0)
        assert state["places"].shape == (60, 2)
        assert np.array_equal(umap.place(state, z), places)
        state = mixture.fit_mixture(places, 3, "full", n_init=1, seed=0)
        expected = mixture.most_likely(state, places)
        chosen = clusterer("umap_gmm", n_components=2, n_neighbors=5, n_init=1)
        assert clusters_of(chosen, z, 3).tolist() == expected.tolist()

    def test_parts_without_a_path_between_them_are_no_warning(self) -> None:
        """30 far groups of 6: more parts than the map has axes."""
        rng = np.random.default_rng(0)
        centres = np.repeat(rng.normal(size=(30, 8)) * 100, 6, axis=0)
        z = (centres + rng.normal(size=centres.shape) * 0.1).astype(np.float32)
        for chosen in (
            clusterer("umap_gmm", n_components=2, n_neighbors=3),
            clusterer("agglomerative", linkage="ward", n_neighbors=3),
            clusterer("spectral", n_neighbors=3),
        ):
            clusters = clusters_of(chosen, z, 30)
            assert len(set(clusters)) > 20

    def test_torch_keeps_to_its_threads_after_a_map(self) -> None:
        """Otherwise two trainings side by side take all cores each, and four times as long."""
        program = (
            "import numpy as np, torch\n"
            "from narrows.clustering.clusterers import umap_gmm\n"
            "z = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)\n"
            "umap_gmm.fit(umap_gmm.Config(n_init=1), z, 2, seed=0)\n"
            "print(torch.get_num_threads())\n"
        )
        message = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert message.stdout.strip() == "1"

    def test_a_new_process_predicts_from_the_arrays_without_umap(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        z = (np.repeat(np.eye(4) * 20, 15, axis=0) + rng.normal(size=(60, 4))).astype(np.float32)
        chosen, new = clusterer("umap_gmm"), z + np.float32(0.1)
        state = fitted(chosen, z, 4)
        np.savez(tmp_path / "state.npz", **state)
        np.save(tmp_path / "new.npy", new)
        program = (
            "import sys, numpy as np\n"
            "from narrows.clustering.clusterers import umap_gmm\n"
            "with np.load('state.npz', allow_pickle=False) as state:\n"
            "    clusters = umap_gmm.predict(state, np.load('new.npy', mmap_mode='r'))\n"
            "assert 'umap' not in sys.modules\n"
            "print(clusters.tolist())\n"
        )
        message = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        clusters = chosen.module.predict(state, new).tolist()
        assert message.stdout.strip() == str(clusters)
        assert [len(set(clusters[i : i + 15])) for i in (0, 15, 30, 45)] == [1, 1, 1, 1]


@pytest.mark.parametrize(("family", "name"), members("clusterers"))
class TestOddCodes:
    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_what_is_not_finite_is_refused(self, family: str, name: str, bad: float) -> None:
        chosen, z = plugin(family, name), np.repeat(SIX, 5, axis=0)
        state = fitted(chosen, z)
        z = np.repeat(SIX, 5, axis=0)
        z[[3, 4]] = bad
        message = "2 of 30 codes have a value that is not finite"
        with pytest.raises(UserError, match=message):
            fitted(chosen, z)
        with pytest.raises(UserError, match=message):
            chosen.module.predict(state, z)

    def test_one_row_is_refused(self, family: str, name: str) -> None:
        with pytest.raises(UserError, match="needs at least 2 train rows, found 1"):
            fitted(plugin(family, name), SIX[:1])

    @pytest.mark.parametrize("n_clusters", [1, 3, 50])
    def test_dead_codes_are_one_cluster_or_noise(self, family, name, n_clusters) -> None:
        z = np.full((30, 4), 0.1, dtype=np.float32)
        clusters = clusters_of(plugin(family, name), z, n_clusters)
        assert set(clusters) == ({-1} if "hdbscan" in name else {0})

    @pytest.mark.parametrize("n_rows", [2, 5, 30])
    @pytest.mark.parametrize("n_features", [1, 2, 100])
    def test_few_codes_and_repeated_ones(self, family, name, n_rows, n_features) -> None:
        """Never more clusters than distinct codes, equal codes in one, and no warning."""
        z = np.random.default_rng(0).normal(size=(n_rows, n_features)).astype(np.float32)
        z = np.concatenate([z, z[: n_rows // 2]])
        for n_clusters in (1, 2, 40):
            clusters = clusters_of(plugin(family, name), z, n_clusters)
            assert np.array_equal(clusters[n_rows:], clusters[: n_rows // 2])
            assert len(set(clusters) - {-1}) <= n_rows
            if "dbscan" not in name:
                assert len(set(clusters)) <= n_clusters
                assert clusters.min() >= 0


@pytest.mark.parametrize(
    "name", ["gmm", "umap_gmm", "umap_hdbscan", "agglomerative", "dbscan", "hdbscan", "spectral"]
)
def test_many_codes_are_learned_from_a_sample(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MAX_FITTED", 90)
    z = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32) / 10
    labels = np.arange(300) % 2
    z[:, 0] += 9 * labels
    seen = []
    monkeypatch.setattr(neighbours, "trainable", lambda z: seen.append(len(z)) or z)
    assert agreement(clusters_of(plugin("clusterers", name), z), labels) > 0.9
    assert seen == [90]


def test_kmeans_takes_many_codes_in_mini_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    module = plugins.load("clusterers", "kmeans")
    exact = clusters_of(clusterer("kmeans", n_init=3), SIX)
    monkeypatch.setattr(module, "MAX_AT_ONCE", 5)
    monkeypatch.setattr("sklearn.cluster.KMeans.fit", None)
    assert agreement(clusters_of(clusterer("kmeans", n_init=3), SIX), exact) == 1


class TestCentres:
    def test_means_and_variances_are_those_of_each_cluster_alone(self) -> None:
        """To the last bit; 1 and 4 have no code, and noise has no centre."""
        z = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
        clusters = np.array([0, 2, 3, -1])[np.arange(200) % 4]
        means = centres.means(z, clusters, n_clusters=5)
        variances = centres.variances(z, clusters)
        exact = centres.means(z, clusters, dtype=np.float64)
        assert means.shape == (5, 5)
        assert means.dtype == variances.dtype == np.float32
        for cluster in (0, 2, 3):
            own = z[clusters == cluster]
            assert np.array_equal(means[cluster], own.mean(axis=0))
            assert np.array_equal(variances[cluster], own.var(axis=0))
            assert np.array_equal(exact[cluster], own.mean(axis=0, dtype=np.float64))
        assert np.isnan(means[[1, 4]]).all()

    def test_noise_alone_has_no_centre(self) -> None:
        assert centres.means(SIX, np.full(6, -1)).shape == (0, 1)
