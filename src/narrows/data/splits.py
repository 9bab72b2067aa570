"""Which row trains, which selects, which is tested: drawn by the seed, without any label."""

import numpy as np

from narrows.config.messages import plural
from narrows.errors import UserError

NAMES = ("train", "val", "test")  # split.npy holds positions in it


def assign(
    n_x: int, is_test: np.ndarray | None, test_fraction: float, val_fraction: float, seed: int
) -> np.ndarray:
    """The split of each of `n_x` rows, uint8 (n_x,).

    The data's own test set stays the test set; where there is none, `test_fraction` of all rows
    is drawn. `val_fraction` is a share of the rows that are not test. Shares are rounded to
    whole rows.

    Args:
        n_x: number of rows.
        is_test: bool (n_x,), true for the rows of the data's own test set; None where it has none.
        test_fraction: in (0, 1).
        val_fraction: in (0, 1).
        seed: of numpy's default generator.

    Raises:
        UserError: too few rows to give each split at least one.

    Example:
        20 rows, of which 5 are drawn for the test and 3 of the other 15 for validation:

        >>> np.bincount(assign(20, None, test_fraction=0.25, val_fraction=0.2, seed=0)).tolist()
        [12, 3, 5]
    """
    generator = np.random.default_rng(seed)
    split = np.zeros(n_x, dtype=np.uint8)
    if is_test is None:
        split[generator.permutation(n_x)[: round(test_fraction * n_x)]] = NAMES.index("test")
    else:
        split[is_test] = NAMES.index("test")
    others = generator.permutation(np.flatnonzero(split == 0))
    split[others[: round(val_fraction * len(others))]] = NAMES.index("val")

    counts = np.bincount(split, minlength=len(NAMES))
    if not counts.all():
        sizes = ", ".join(f"{n} {name}" for n, name in zip(counts, NAMES, strict=True))
        raise UserError(
            f"prepare.test_fraction {test_fraction} and prepare.val_fraction {val_fraction} split "
            f"{plural(n_x, 'row')} into {sizes}; each split needs at least one row"
        )
    return split


def mask(split: np.ndarray, name: str) -> np.ndarray:
    """Mask (N,) of the rows of one split, or of "all".

    >>> mask(np.array([0, 1, 2]), "val").tolist()
    [False, True, False]
    """
    return np.full(len(split), True) if name == "all" else split == NAMES.index(name)
