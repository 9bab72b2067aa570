"""The order of a gallery, by hand: sections, near-duplicates, outliers, similar pictures."""

from pathlib import Path

import numpy as np

from narrows.evaluation.outliers import unusual
from narrows.explore.gallery import album, page
from narrows.explore.gallery.album import Section
from narrows.explore.groups import Groups


def noise(n: int, side: int = 8, seed: int = 0) -> np.ndarray:
    """Pictures (n, 1, side, side) no two of which resemble each other."""
    return np.random.default_rng(seed).integers(0, 256, (n, 1, side, side)).astype(np.uint8)


def test_largest_cluster_first_noise_last_and_the_nearest_to_the_mean_first() -> None:
    """Means are 5 (of 0, 6, 9) and 20.5 (of 20, 21); the noise at 19 is 1.5 from the nearer."""
    codes = np.array([[0.0], [20], [6], [19], [9], [21]])
    arrangement = album.arranged(noise(6), codes, np.array([4, 0, 4, -1, 4, 0]), None)
    assert arrangement.sections == [Section(4, 0, 3), Section(0, 3, 2), Section(-1, 5, 1)]
    assert arrangement.rows.tolist() == [2, 4, 0, 1, 5, 3]
    assert arrangement.distances.tolist() == [1, 4, 5, 0.5, 0.5, 1.5]
    assert arrangement.similar[0].tolist() == [1, 2, 5, 3, 4], "of 6: 9, 0, 19, 20, 21"
    assert arrangement.outliers.tolist() == []
    assert arrangement.groups == {}


def test_exact_copies_are_a_group_and_do_not_crowd_out_what_is_similar() -> None:
    x = noise(20)
    x[5:] = x[5]  # fifteen copies of one picture, more than `similar` holds
    codes = np.arange(20.0)[:, None]
    codes[5:] = 5
    arrangement = album.arranged(x, codes, np.zeros(20, int), None)
    (first, others), *more = arrangement.groups.items()
    assert not more
    assert sorted(arrangement.rows[[first, *others]]) == list(range(5, 20))
    position = int(np.flatnonzero(arrangement.rows == 12)[0])
    assert arrangement.rows[arrangement.similar[position]].tolist() == [4, 3, 2, 1, 0]


def test_a_chain_of_small_steps_is_no_group_and_flat_pictures_are_not_alike() -> None:
    """Steps of 8 in 255 are 3 %, two of them 6 %. Grey pictures of no contrast differ by 1 %."""
    x = np.repeat(noise(1), 6, axis=0) // 2
    for i in range(4):
        x[i] += np.uint8(8 * i)
    x[4], x[5] = 100, 102
    arrangement = album.arranged(x, np.arange(6.0)[:, None], np.zeros(6, int), None)
    groups = [
        sorted(arrangement.rows[[first, *others]]) for first, others in arrangement.groups.items()
    ]
    assert groups == [[1, 2, 3]]  # 2 is the nearest to the mean, 0 is two steps from it


def test_a_group_stays_within_a_cluster() -> None:
    x = np.repeat(noise(1), 4, axis=0)
    arrangement = album.arranged(x, np.zeros((4, 1)), np.array([0, 1, 0, 1]), None)
    assert arrangement.groups == {0: [1], 2: [3]}


def test_large_pictures_are_compared_without_their_grain() -> None:
    """Grain of +-40 in 255 averages out in blocks of 4 x 4 (40 / 255 / 4 = 4 %, spread twice)."""
    rng = np.random.default_rng(0)
    flat = noise(2, side=32, seed=1).repeat(4, axis=2).repeat(4, axis=3) // 2 + np.uint8(60)
    x = np.concatenate([flat, flat[:1] + rng.choice([0, 40], flat[:1].shape).astype(np.uint8)])
    x[2] -= np.uint8(20)
    arrangement = album.arranged(x, np.arange(3.0)[:, None], np.zeros(3, int), None)
    assert [sorted(arrangement.rows[[a, *b]]) for a, b in arrangement.groups.items()] == [[0, 2]]


def test_unusual_errors_are_outliers_the_worst_first() -> None:
    errors = np.append(np.linspace(0.01, 0.02, 30), [0.9, 0.5])
    arrangement = album.arranged(noise(32), np.arange(32.0)[:, None], np.zeros(32, int), errors)
    assert arrangement.rows[arrangement.outliers].tolist() == [30, 31]
    assert len(unusual(np.zeros(9))) == 0, "an encoder that copies has none"


def test_samples_that_an_encoder_has_not_learned_from_are_judged_among_themselves() -> None:
    """It reconstructs the 70 that it has learned from ten times better; one of each kind is odd."""
    errors = np.append(np.linspace(0.01, 0.02, 70), np.linspace(0.1, 0.2, 30))
    errors[[5, 80]] = 0.09, 2.0
    learned = np.arange(100) < 70
    assert sorted(unusual(errors, learned)) == [5, 80]
    assert len(unusual(errors)) > 25
    assert unusual(errors[:75], learned[:75]).tolist()[:4] == [74, 73, 72, 71], "too few others"


def test_a_page_says_where_no_outlier_can_be_told(tmp_path: Path) -> None:
    groups = Groups("own", "pixels-kmeans", "0", sizes={0: 4})
    titles, sentence = page.Titles("pixels", groups), "no outlier to tell"
    for errors in (np.zeros(4), np.arange(1.0, 5.0)):
        arrangement = album.arranged(noise(4), np.arange(4.0)[:, None], np.zeros(4, int), errors)
        file = page.write(tmp_path, titles, noise(4), arrangement, None, None)
        assert (sentence in file.read_text(encoding="utf-8")) == (errors[0] == 0)


def test_one_picture_alone() -> None:
    arrangement = album.arranged(noise(1), np.zeros((1, 2)), np.array([0]), np.array([0.1]))
    assert arrangement.similar.shape == (1, 0)
    assert arrangement.rows.tolist() == [0]
