"""How many clusters there are, on planted ones."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from narrows.clustering import choose_k, shared_neighbours
from narrows.clustering.choose_k import Candidate
from narrows.clustering.shared_neighbours import links, modularity, rows_with_room
from narrows.errors import UserError
from narrows.stages import choose_k as stage
from narrows.stages.runner import Setting
from narrows.store import choices
from narrows.store.choices import ChosenK, Recommendation
from narrows.store.rows import Attempt, Call, Row


def planted(n_groups: int, n_each: int = 60) -> np.ndarray:
    """Round groups at the corners of a 3-d cube of side 20."""
    corners = np.array([[i & 1, i >> 1 & 1, i >> 2 & 1] for i in range(8)], float)[:n_groups]
    noise = np.random.default_rng(0).normal(size=(n_groups * n_each, 3))
    return 20 * corners.repeat(n_each, axis=0) + noise


def curve(z: np.ndarray, largest: int) -> list[Candidate]:
    """The curve of places that are their own codes."""
    rows, ks = rows_with_room(z), choose_k.numbers(min(largest, choose_k.most_clusters(z)))
    return choose_k.averaged([choose_k.curve(z, rows, links(z[rows]), ks, seed=0)])


def candidates(merits: list[float], silhouette: float | None = 0.7) -> list[Candidate]:
    """Numbers of clusters from 2 on, of which the merit alone differs."""
    rows = enumerate(merits, start=2)
    return [{"n_clusters": k, "merit": merit, "silhouette": silhouette} for k, merit in rows]


@pytest.mark.parametrize("n_groups", [3, 5])
def test_recommends_what_was_planted(n_groups: int) -> None:
    """Groups of one size without a link between them have the modularity 1 - 1 / n_groups."""
    rows = curve(planted(n_groups), largest=8)
    assert [row["n_clusters"] for row in rows] == list(range(2, 9))
    best = rows[n_groups - 2]
    assert best["modularity"] == pytest.approx(1 - 1 / n_groups, abs=0.01)
    assert best["silhouette"] > 0.85
    chosen = choose_k.recommended(rows, 0.5)
    assert chosen is not None
    assert chosen.n_clusters == n_groups


def test_the_map_keeps_groups_apart() -> None:
    codes = planted(4).astype(np.float32)
    rows, chosen = choose_k.compare(codes, largest=6, seed=0)
    assert choose_k.places(codes, seed=0).shape == (240, 10)
    assert [row["n_clusters"] for row in rows] == [2, 3, 4, 5, 6]
    assert chosen is not None
    assert (chosen.n_clusters, chosen.is_clear) == (4, True)
    assert chosen.strength > 0.2


@pytest.mark.parametrize("n_clusters", [5, 5000])
def test_more_clusters_than_samples_are_a_sentence(
    n_clusters: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of eight samples five train."""
    monkeypatch.chdir(tmp_path)
    Path("data/digits").mkdir(parents=True)
    np.save("data/digits/split.npy", np.array([0, 0, 0, 0, 0, 1, 2, 2], np.uint8))
    message = rf"n_clusters is {n_clusters:,}, but there are 5 samples .*cluster_on: train"
    with pytest.raises(UserError, match=message):
        stage.refuse_too_many(Setting("digits", 0, "cpu"), n_clusters, "train")
    stage.refuse_too_many(Setting("digits", 0, "cpu"), n_clusters=4, cluster_on="train")


def test_maps_that_are_measured_apart_say_what_they_say_together(tmp_path: Path) -> None:
    codes = planted(4).astype(np.float32)
    np.save(tmp_path / "codes.npy", codes)
    np.save(tmp_path / "split.npy", np.zeros(len(codes), np.uint8))
    arguments = (tmp_path / "codes.npy", tmp_path / "split.npy", "all", 6, 0)
    row, files = Row("choose_k", tmp_path, {}, (), Call("", "", ())), []
    for i in range(2):
        place = tmp_path / str(i)
        place.mkdir()
        stage.measure(*arguments, i, Attempt(row, "", place, tmp_path))
        files.append(place / stage.MAP)
    stage.choose(tuple(files), 3, "pca", Attempt(row, "", tmp_path, tmp_path))
    chosen = choices.read_k(tmp_path)
    assert (chosen.curve, chosen.recommended) == choose_k.compare(codes, largest=6, seed=0)
    assert chosen.taken == 3


def test_the_number_of_threads_changes_nothing() -> None:
    codes = np.round(planted(4, 40)).astype(np.float32)  # many distances are equal
    with threadpool_limits(1):
        single = choose_k.compare(codes, largest=5, seed=3)
    with threadpool_limits(4):
        assert choose_k.compare(codes, largest=5, seed=3) == single


def test_an_island_and_the_rest_are_not_two_groups() -> None:
    """Five groups, one of them far away: the silhouette alone says two."""
    z = planted(5)
    z[:60] += 200
    rows = curve(z, largest=8)
    assert max(rows, key=lambda row: row["silhouette"])["n_clusters"] == 2
    chosen = choose_k.recommended(rows, 0.5)
    assert chosen is not None
    assert chosen.n_clusters == 5


@pytest.mark.parametrize("n_each", [6, 10])
def test_of_little_data_the_neighbours_are_not_everybody(n_each: int) -> None:
    chosen = choose_k.recommended(curve(planted(4, n_each), largest=8), 0.5)
    assert chosen is not None
    assert chosen.n_clusters == 4


def test_no_more_clusters_than_codes_differ() -> None:
    z = np.array([[0.0], [5.0], [9.0]]).repeat(10, axis=0)
    rows = curve(z, largest=20)
    assert [row["n_clusters"] for row in rows] == [2, 3]
    assert rows[1]["modularity"] == pytest.approx(2 / 3)
    chosen = choose_k.recommended(rows, 0.5)
    assert chosen is not None
    assert chosen.n_clusters == 3


def test_no_more_clusters_than_a_third_of_the_codes() -> None:
    assert [row["n_clusters"] for row in curve(planted(4, 3), largest=20)] == [2, 3, 4]


def test_one_code_has_no_recommendation() -> None:
    assert choose_k.compare(np.zeros((30, 2)), largest=20, seed=0) == ([], None)


def test_links_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 0, 1, 2 and 9, with the two nearest and themselves: 0, 1 and 2 have the same list, and 9
    has 1 and 2 and itself. Two in common of four: one half."""
    monkeypatch.setattr(shared_neighbours, "LEAST_FRACTION", 2)
    expected = np.full((4, 4), 1.0) - np.eye(4)
    expected[3, :3] = expected[:3, 3] = 0.5
    np.testing.assert_allclose(links(np.array([[0.0], [1.0], [2.0], [9.0]])).toarray(), expected)


def test_what_is_hardly_in_common_is_no_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_neighbours, "LEAST_FRACTION", 2)
    monkeypatch.setattr(shared_neighbours, "LEAST_LINK", 0.6)
    graph = links(np.array([[0.0], [1.0], [2.0], [9.0]])).toarray()
    assert graph[3].tolist() == [0, 0, 0, 0]
    assert graph[0].tolist() == [0, 1, 1, 0]


def test_everybodys_neighbours_link_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points on a sphere in many dimensions are nearest to those in its middle: with five of 21
    neighbours in common all would be linked with all."""
    z = np.random.default_rng(0).normal(size=(601, 300))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    z[:5] *= 1e-3
    assert 0 < links(z).nnz < 0.1 * 601 * 600
    monkeypatch.setattr(shared_neighbours, "HUB", 1000)
    assert links(z).nnz > 0.9 * 601 * 600


def test_of_equal_codes_as_many_are_linked_as_there_is_room_for() -> None:
    z = np.array([[1.0]] * 500 + [[2.0]] * 3 + [[1.0]])
    rows = rows_with_room(z)
    assert rows.tolist() == [*range(21), 500, 501, 502]


def test_modularity_of_two_triangles_by_hand() -> None:
    """Two triangles and a link between them: 6 of 7 links are inside, and each half has half of
    all ends. Cut there 6/7 - 1/2; each code its own, less the squares of 2, 2, 3, 3, 2, 2 of 14
    ends: -34/196; all in one 0."""
    graph = np.zeros((6, 6))
    for i, j in [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5), (2, 3)]:
        graph[i, j] = graph[j, i] = 1.0
    sparse = shared_neighbours.sparse.csr_array(graph)
    assert modularity(sparse, np.array([0, 0, 0, 1, 1, 1])) == pytest.approx(6 / 7 - 1 / 2)
    assert modularity(sparse, np.arange(6)) == pytest.approx(-34 / 196)
    assert modularity(sparse, np.zeros(6, int)) == pytest.approx(0)
    assert modularity(sparse * 0, np.arange(6)) == 0


def test_two_maps_have_few_codes_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose_k, "MAX_CODES", 4)
    for n, n_common in [(3, 3), (4, 4), (5, 3), (8, 0), (50, 0)]:
        first, second = (set(rows.tolist()) for rows in choose_k.draws(n, seed=1))
        assert len(first) == len(second) == min(n, 4)
        assert len(first & second) == n_common
        assert first | second <= set(range(n))


def test_curves_are_averaged_where_they_are_defined() -> None:
    """Silhouettes .2 and .6, none and .5, and none at all: .4, .5 and none, smoothed .425, .35 and
    .125."""
    first = [(2, 0.5, 0.2), (3, 0.5, None), (4, 0.75, None)]
    second = [(2, 0.25, 0.6), (3, 0.5, 0.5), (4, 0.25, None)]
    names = ("n_clusters", "modularity", "silhouette")
    rows = choose_k.averaged(
        [[dict(zip(names, row, strict=True)) for row in part] for part in (first, second)]
    )
    assert [row["n_clusters"] for row in rows] == [2, 3, 4]
    assert [row["modularity"] for row in rows] == [0.375, 0.5, 0.5]
    assert [row["silhouette"] for row in rows] == [pytest.approx(0.4), 0.5, None]
    merits = [row["merit"] for row in rows]
    np.testing.assert_allclose(merits, [0.375 * 0.425, 0.5 * 0.35, 0.5 * 0.125])


def test_merit_is_modularity_times_smoothed_silhouette() -> None:
    """Silhouettes .4, .8 and none: smoothed .5, .5 and .2."""
    measures = [(0.5, 0.4), (0.6, 0.8), (0.7, None)]
    rows = [{"modularity": inside, "silhouette": apart} for inside, apart in measures]
    np.testing.assert_allclose(choose_k.merits(rows), [0.25, 0.3, 0.14])


def test_what_is_below_zero_has_no_merit() -> None:
    rows = [{"modularity": -0.5, "silhouette": -0.5}, {"modularity": 0.5, "silhouette": -0.5}]
    assert choose_k.merits(rows).tolist() == [0, 0]


def test_a_single_value_is_its_own_neighbour() -> None:
    assert choose_k.smoothed(np.array([3.0])).tolist() == [3]
    assert choose_k.merits([]).tolist() == []


def test_numbers_are_thinner_above_fifteen() -> None:
    assert choose_k.numbers(15) == list(range(2, 16))
    assert choose_k.numbers(30) == [*range(2, 16), 17, 20, 23, 26, 30]
    assert choose_k.numbers(2) == [2]
    ks = choose_k.numbers(1000)
    assert ks[-1] == 1000
    assert len(ks) < 50
    assert all(a < b for a, b in itertools.pairwise(ks))


@pytest.mark.parametrize(
    ("merits", "expected"),
    [
        ([0.5, 1.0, 0.5], (3, 3, 3, ())),
        ([0.9, 1.0, 0.9, 0.89], (3, 2, 4, ())),  # numbers are 2, 3, 4 and 5
        ([0.5, 1.0, 0.95, 0.7, 0.95], (3, 3, 4, (6,))),  # 6 is good, but not around
        ([0.8, 0.6, 1.0, 0.6, 0.7, 0.6], (4, 4, 4, (2,))),  # .7 is too low
        ([0.8, 0.8, 0.6, 1.0], (5, 5, 5, (2,))),  # of a plateau the first
        ([1.0, 1.0], (2, 2, 3, ())),
        ([0.0, 0.0, 0.0], (2, 2, 4, ())),  # nothing is good: the fewest
    ],
)
def test_range_and_levels_by_hand(merits: list[float], expected: tuple[Any, ...]) -> None:
    best = choose_k.recommended(candidates(merits), strength=0.5)
    assert best is not None
    assert (best.n_clusters, best.lowest, best.highest, best.levels) == expected


@pytest.mark.parametrize(
    ("strength", "silhouette", "is_clear"),
    [(0.19, 0.59, False), (0.2, 0.1, True), (0.0, 0.6, True), (-0.1, 0.3, False)],
)
def test_groups_are_clear_where_one_figure_says_so(
    strength: float, silhouette: float, is_clear: bool
) -> None:
    best = choose_k.recommended(candidates([0.5, 0.25], silhouette), strength)
    assert best is not None
    assert best.is_clear == is_clear


def test_no_silhouette_recommends_nothing() -> None:
    assert choose_k.recommended(candidates([0.5, 0.25], None), 0.5) is None
    assert choose_k.recommended([], 0.5) is None


def test_one_cloud_has_no_clear_groups() -> None:
    """Uniform and normal noise in many dimensions; the clouds' own strength is about 0."""
    generator = np.random.default_rng(0)
    for z in (generator.random((600, 12)), generator.normal(size=(600, 8)) * np.arange(1, 9)):
        chosen = choose_k.compare(z.astype(np.float32), largest=10, seed=0)[1]
        assert chosen is not None
        assert not chosen.is_clear
        assert abs(chosen.strength) < 0.15


def test_a_clouds_shape_is_that_of_the_codes() -> None:
    """A long thin cloud falls in pieces, too: its modularity is high and its strength is not."""
    generator = np.random.default_rng(0)
    z = generator.normal(size=(500, 4)) * [100, 1, 1, 1]
    assert choose_k._highest_modularity(z, links(z), seed=0) > 0.6
    assert abs(choose_k.strength(z, links(z), seed=0)) < 0.1
    assert choose_k.strength(planted(4), links(planted(4)), seed=0) > 0.2


def test_too_few_codes_have_no_strength() -> None:
    z = np.array([[0.0], [1.0], [5.0]])
    assert choose_k.strength(z, links(z), seed=0) == 0


@pytest.mark.parametrize(
    ("best", "taken", "sentence"),
    [
        (None, 4, "4 clusters taken; the codes show no clusters"),
        (
            Recommendation(3, 3, 3, (), 0.5, True),
            3,
            "3 clusters taken; no number near it does about as well",
        ),
        (
            Recommendation(8, 6, 20, (3, 26), 0.5, True),
            8,
            "8 clusters taken; 6 to 20 do about as well; also 3 coarse groups or 26 fine groups",
        ),
        (
            Recommendation(10, 9, 14, (), 0.5, True),
            12,
            "12 clusters taken, 10 recommended; 9 to 14 do about as well",
        ),
        (
            Recommendation(5, 2, 14, (20,), 0.1, False),
            5,
            "5 clusters taken; no clear groups: the codes hardly differ from one cloud, which any "
            "number of clusters cuts through",
        ),
    ],
)
def test_a_choice_in_one_sentence(best: Recommendation | None, taken: int, sentence: str) -> None:
    assert ChosenK([], best, taken).sentence == sentence


@pytest.mark.parametrize("best", [None, Recommendation(8, 6, 20, (3, 26), 0.5, True)])
def test_a_choice_is_read_back(best: Recommendation | None, tmp_path: Any) -> None:
    chosen = ChosenK(candidates([0.5, 0.25]), best, taken=8)
    choices.write_k(tmp_path, chosen)
    assert choices.read_k(tmp_path) == chosen
