"""Principal components: as many as a row says, or as explain a share of the variance."""

import numpy as np
import pytest

from narrows.config import params
from narrows.errors import UserError
from narrows.models.baselines import pca


def fitted(code_size: float, x: np.ndarray) -> dict[str, np.ndarray]:
    row = params.plugin("baselines", {"name": "pca", "code_size": code_size})
    return pca.fit(row.config, x, seed=0)


def test_a_share_of_the_variance_suits_data_of_any_size() -> None:
    """Variances 100, 9, 1: the first explains .91, the first two .99."""
    x = np.random.default_rng(0).normal(size=(1000, 3)) * (10, 3, 1)
    assert [len(fitted(share, x)["components"]) for share in (0.5, 0.95, 0.999)] == [1, 2, 3]
    two = x[:2]
    state = fitted(0.9, two)
    assert len(state["components"]) == 1
    np.testing.assert_allclose(pca.decode(state, pca.encode(state, two)), two, atol=1e-9)


def test_more_components_than_there_are_is_a_sentence() -> None:
    with pytest.raises(UserError, match="10 rows of 3 features, has at most 3 components"):
        fitted(4, np.random.default_rng(0).normal(size=(10, 3)))


@pytest.mark.parametrize("size", [0, -1, 1.5, 1.0, True, "many"])
def test_other_sizes_are_refused(size: object) -> None:
    accepted = "code_size: accepted are whole numbers from 1 on, and shares between 0 and 1, found"
    with pytest.raises(UserError, match=accepted):
        params.plugin("baselines", {"name": "pca", "code_size": size})
