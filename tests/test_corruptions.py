"""Corruptions by hand; what all of them keep to is in test_contracts.py.

Shares are allowed five standard deviations: sqrt(p (1 - p) / n) of a share p of n values.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from narrows.config.plugins import load


def corrupted(name: str, x: Tensor, **options: Any) -> Tensor:
    module = load("corruptions", name)
    noisy: Tensor = module.corrupt(module.Config(**options), x, torch.Generator().manual_seed(0))
    return noisy


def test_gaussian_has_the_standard_deviation_asked_for() -> None:
    """40,000 greys, ten deviations from either end, so that nothing is clipped. The mean is off by
    0.05 / 200 = 0.00025, the deviation by 0.05 / sqrt(80,000) = 0.00018."""
    noisy = corrupted("gaussian", torch.full((100, 400), 0.5), std=0.05)
    assert abs(noisy.mean().item() - 0.5) < 5 * 0.00025
    assert abs(noisy.std().item() - 0.05) < 5 * 0.00018


def test_gaussian_is_clipped() -> None:
    """On black, the negative half of the noise ends at 0: sqrt(0.25 / 40,000) = 0.0025."""
    noisy = corrupted("gaussian", torch.zeros(100, 400), std=0.05)
    assert abs((noisy == 0).float().mean().item() - 0.5) < 5 * 0.0025


def test_speckle_leaves_zeros_alone_and_grows_with_the_value() -> None:
    """0.1 around a factor of 1: deviations of 0.02 at 0.2 and of 0.05 at 0.5, and of those 40,000
    times, with an error of 1 / sqrt(80,000) = 0.35 % of them."""
    x = torch.tensor([0.0, 0.2, 0.5]).repeat(40000, 1)
    zeros, dark, grey = corrupted("speckle", x, std=0.1).T
    assert (zeros == 0).all()
    assert dark.std().item() == pytest.approx(0.02, rel=5 * 0.0035)
    assert grey.std().item() == pytest.approx(0.05, rel=5 * 0.0035)


def test_salt_and_pepper_are_equally_likely_and_spare_the_rest() -> None:
    """A fifth of 40,000 greys: sqrt(0.1 * 0.9 / 40,000) = 0.0015 for either kind."""
    noisy = corrupted("salt_pepper", torch.full((100, 400), 0.5), fraction=0.2)
    assert set(noisy.unique().tolist()) == {0.0, 0.5, 1.0}
    for value in (0.0, 1.0):
        assert abs((noisy == value).float().mean().item() - 0.1) < 5 * 0.0015


def test_periodic_noise_along_the_width() -> None:
    """Two cycles in 28 columns repeat after 14. Over whole cycles a sine has the mean 0 and the
    mean square 1/2: 0.25^2 / 2 = 0.03125."""
    grey = torch.full((6, 3, 10, 28), 0.5)
    wave = corrupted("periodic", grey, frequency=2, angle=0, amplitude=0.25) - 0.5
    assert torch.allclose(wave[..., :14], wave[..., 14:], atol=1e-6)
    assert torch.equal(wave, wave[:, :1, :1].expand_as(wave)), "differs along height or channels"
    assert torch.allclose(wave.mean(3), torch.zeros(6, 3, 10), atol=1e-6)
    assert torch.allclose((wave**2).mean(3), torch.full((6, 3, 10), 0.03125), atol=1e-6)
    assert len({round(value, 4) for value in wave[:, 0, 0, 0].tolist()}) == 6, "one phase for all"


def test_periodic_noise_at_an_angle() -> None:
    """At 90 degrees it runs down the height; at 45 degrees in a square, one step right and one
    step up cancel."""
    grey = torch.full((2, 1, 28, 28), 0.5)
    down = corrupted("periodic", grey, frequency=3, angle=90, amplitude=0.4)
    assert torch.allclose(down, down[..., :1].expand_as(down), atol=1e-5)
    assert down.std() > 0.2
    slanted = corrupted("periodic", grey, frequency=3, angle=45, amplitude=0.4)
    assert torch.allclose(slanted[..., 1:, :-1], slanted[..., :-1, 1:], atol=1e-5)


def covered(shape: str, fraction: float, picture: tuple[int, ...], n: int = 200) -> Tensor:
    """Which pixels of white pictures became 0.25, (n, H, W)."""
    white = torch.ones(n, *picture)
    noisy = corrupted("occlusion", white, shape=shape, fraction=fraction, value=0.25)
    assert set(noisy.unique().tolist()) == {0.25, 1.0}
    assert torch.equal(noisy, noisy[:, :1].expand_as(noisy)), "channels differ"
    return noisy[:, 0] == 0.25


def sizes(mask: Tensor) -> set[int]:
    """Numbers of covered pixels that occur."""
    return set(mask.flatten(1).sum(1).tolist())


@pytest.mark.parametrize(
    ("shape", "expected"), [("cross", {92}), ("bar", {56, 40}), ("box", {4})], ids=str
)
def test_occluded_pixels_are_counted(shape: str, expected: set[int]) -> None:
    """A tenth of the shorter side of 28x20 is w = 2. The cross has w (H + W) - w w = 92 pixels, a
    bar 2 * 28 or 2 * 20, the box 2 * 2."""
    assert sizes(covered(shape, 0.1, (3, 28, 20))) == expected


def test_a_bar_is_at_least_one_pixel_wide() -> None:
    """1 % of 10 pixels is rounded up to 1: 10 + 10 - 1 in a cross."""
    assert sizes(covered("cross", 0.01, (1, 10, 10))) == {19}


def test_a_box_falls_everywhere_with_equal_chance() -> None:
    """9,000 boxes of one pixel on nine places: 1,000 each, give or take sqrt(9,000 * 8 / 81)."""
    counts = covered("box", 0.3, (1, 3, 3), n=9000).sum(0)
    assert ((counts - 1000).abs() < 5 * 29.8).all()


def test_single_pixels_are_occluded_by_their_share() -> None:
    """A quarter of 40,000: sqrt(0.25 * 0.75 / 40,000) = 0.0022; in a table the same."""
    share = covered("pixels", 0.25, (3, 10, 20)).float().mean().item()
    assert abs(share - 0.25) < 5 * 0.0022
    table = corrupted("occlusion", torch.ones(100, 400), shape="pixels", fraction=0.25)
    assert abs((table == 0).float().mean().item() - 0.25) < 5 * 0.0022


def test_mixing_goes_towards_the_nearest_other_sample() -> None:
    """On a line at 0, 0.2 and 1 the nearest of the first is the second, and of both others it is
    the second or the first: 0.2, 0 and 0.2. Half of the way at most, a quarter on average: 0.05,
    0.15 and 0.8, where 900 shares have an error of 0.5 / sqrt(12 * 900) = 0.0048 of the way."""
    x, generator = torch.tensor([[0.0], [0.2], [1.0]]), torch.Generator().manual_seed(0)
    module = load("corruptions", "neighbour_mix")
    cfg = module.Config(largest=0.5)
    batches = [module.corrupt(cfg, x, generator)[:, 0] for _ in range(900)]
    first, second, third = torch.stack(batches).T
    for moved, low, high, mean, way in (
        (first, 0.0, 0.1, 0.05, 0.2),
        (second, 0.1, 0.2, 0.15, 0.2),
        (third, 0.6, 1.0, 0.8, 0.8),
    ):
        assert low - 1e-6 <= moved.min() < moved.max() <= high + 1e-6
        assert abs(moved.mean().item() - mean) < 5 * 0.0048 * way


def test_mixing_leaves_a_sample_alone_that_has_no_other() -> None:
    """Neither a batch of one nor two that are equal; and all values of a picture move together."""
    assert corrupted("neighbour_mix", torch.ones(1, 3), largest=1.0).tolist() == [[1.0] * 3]
    equal = torch.full((2, 1, 2, 2), 0.3)
    assert torch.equal(corrupted("neighbour_mix", equal, largest=1.0), equal)
    two = torch.stack([torch.zeros(3, 4, 4), torch.ones(3, 4, 4)])
    moved = corrupted("neighbour_mix", two, largest=1.0)
    assert all(len(sample.unique()) == 1 for sample in moved)


def centroids(x: Tensor) -> tuple[Tensor, Tensor]:
    """Centres of brightness of pictures (B, 1, H, W): columns and rows (B,), from the middle."""
    mass = x.sum((1, 2, 3))
    height, width = x.shape[2:]
    columns = (x.sum((1, 2)) * (torch.arange(width) - (width - 1) / 2)).sum(1) / mass
    rows = (x.sum((1, 3)) * (torch.arange(height) - (height - 1) / 2)).sum(1) / mass
    return columns, rows


def test_affine_turns_in_a_picture_that_is_no_square() -> None:
    """A blob 7 right of the middle stays 7 away from it, at an angle of up to 60 degrees."""
    x = torch.zeros(500, 1, 21, 41)
    x[:, :, 9:12, 26:29] = 1
    columns, rows = centroids(corrupted("affine", x, rotation=60, shift=0, scale=0))
    assert torch.allclose(torch.hypot(columns, rows), torch.tensor(7.0), atol=0.1)
    angles = torch.atan2(rows, columns).rad2deg()
    assert angles.abs().max() < 61
    assert angles.max() > 50
    assert angles.min() < -50


def test_affine_shifts_by_a_share_of_each_side_and_scales() -> None:
    """Shifts are even between -4 and 4 columns and -2 and 2 rows: deviations of 8 and 4 / sqrt(12),
    with an error of 0.45 / sqrt(500) = 2 % of them."""
    x = torch.zeros(500, 1, 20, 40)
    x[:, :, 9:11, 19:21] = 1
    columns, rows = centroids(corrupted("affine", x, rotation=0, shift=0.1, scale=0))
    assert max(columns.abs().max(), 2 * rows.abs().max()) < 4.01
    assert columns.std().item() == pytest.approx(8 / 12**0.5, rel=0.1)
    assert rows.std().item() == pytest.approx(4 / 12**0.5, rel=0.1)
    square = torch.zeros(500, 1, 40, 40)
    square[:, :, 10:30, 10:30] = 1
    sides = corrupted("affine", square, rotation=0, shift=0, scale=0.2).sum((1, 2, 3)).sqrt()
    assert 16 < sides.min() < 17.5  # 20 / 1.2 and 20 / 0.8
    assert 23.5 < sides.max() < 25.5


def test_affine_shears_a_row_against_the_next() -> None:
    """A bar 16 rows high leans by up to 15 * 0.5 pixels to either side, half of that on average."""
    x = torch.zeros(2000, 1, 32, 64)
    x[:, :, 8:24, 28:36] = 1
    sheared = corrupted("affine", x, rotation=0, shift=0, scale=0, shear=0.5)
    columns = torch.arange(64.0)
    top, bottom = (
        (sheared[:, 0, row] * columns).sum(1) / sheared[:, 0, row].sum(1) for row in (8, 23)
    )
    lean = (bottom - top).abs()
    assert 7 < lean.max() < 8
    assert abs(lean.mean().item() - 15 * 0.25) < 5 * 15 * 0.5 / 12**0.5 / 2000**0.5
    assert torch.allclose(sheared.sum(3), x.sum(3), atol=0.05), "nothing moves between rows"


def test_affine_bends_by_what_elastic_says() -> None:
    """The same dot moves by .1 of half a side of 40 pixels, a deviation of 2 along each axis: there
    the middle point of the grid lies, and about it bicubic curves leave some."""
    x = torch.zeros(4000, 1, 41, 41)
    x[:, :, 19:22, 19:22] = 1
    columns, rows = centroids(corrupted("affine", x, rotation=0, shift=0, scale=0, elastic=0.1))
    for places in (columns, rows):
        assert abs(places.mean().item()) < 0.2
        assert 1.4 < places.std().item() < 2.4


def test_affine_mirrors_every_other_picture() -> None:
    x = torch.rand(400, 1, 6, 9, generator=torch.Generator().manual_seed(1))
    noisy = corrupted("affine", x, rotation=0, shift=0, scale=0, flip=True)
    is_mirrored = torch.isclose(noisy, x.flip(3), atol=1e-5).flatten(1).all(1)
    is_same = torch.isclose(noisy, x, atol=1e-5).flatten(1).all(1)
    assert (is_mirrored ^ is_same).all()
    assert abs(is_mirrored.float().mean().item() - 0.5) < 5 * 0.5 / 20


def test_affine_that_does_nothing_changes_nothing() -> None:
    x = torch.rand(3, 2, 9, 12, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(corrupted("affine", x, rotation=0, shift=0, scale=0), x, atol=1e-5)
