import numpy as np
import pytest

from narrows.data.splits import NAMES, assign
from narrows.errors import UserError


def counts(split: np.ndarray) -> list[int]:
    return np.bincount(split, minlength=3).tolist()


def test_names_are_the_codes_of_the_files() -> None:
    assert NAMES == ("train", "val", "test")


def test_shares_of_the_default_dataset_by_hand() -> None:
    """5,000 rows: a fifth is 1,000 for the test, a tenth of the other 4,000 for validation."""
    split = assign(5000, None, test_fraction=0.2, val_fraction=0.1, seed=0)
    assert counts(split) == [3600, 400, 1000]
    assert split.dtype == np.uint8
    assert split.shape == (5000,)


def test_shares_are_rounded_to_whole_rows() -> None:
    """11 rows: 2.75 -> 3 for the test, 8 others: 1.6 -> 2 for validation."""
    assert counts(assign(11, None, test_fraction=0.25, val_fraction=0.2, seed=0)) == [6, 2, 3]


def test_the_own_test_set_is_kept_and_the_fraction_unused() -> None:
    is_test = np.arange(70) >= 60
    split = assign(70, is_test, test_fraction=0.9, val_fraction=0.1, seed=0)
    np.testing.assert_array_equal(split == 2, is_test)
    assert counts(split) == [54, 6, 10]


@pytest.mark.parametrize("is_test", [None, np.arange(1000) >= 800])
def test_the_seed_decides(is_test: np.ndarray | None) -> None:
    a, same, other = (assign(1000, is_test, 0.2, 0.2, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, same)
    assert (a != other).any()


def test_rows_in_the_order_of_their_classes_are_mixed() -> None:
    """mnist_5k lists all zeros, then all ones: each split must see every class."""
    split = assign(5000, None, test_fraction=0.2, val_fraction=0.1, seed=0)
    classes = np.arange(5000) // 500
    for code in range(3):
        share = np.bincount(classes[split == code], minlength=10) / (split == code).sum()
        assert 0.05 < share.min() <= share.max() < 0.16


@pytest.mark.parametrize(
    ("n_x", "is_test", "message"),
    [
        (2, None, "split 2 rows into 2 train, 0 val, 0 test"),
        (5, np.ones(5, dtype=bool), "split 5 rows into 0 train, 0 val, 5 test"),
        (30, np.zeros(30, dtype=bool), "split 30 rows into 27 train, 3 val, 0 test"),
    ],
)
def test_too_few_rows_are_a_sentence(n_x: int, is_test: np.ndarray | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        assign(n_x, is_test, test_fraction=0.2, val_fraction=0.1, seed=0)
