"""Errors of reconstructions, by hand where a hand suffices."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from narrows.models import reconstruction


def test_mse_averages_over_samples_channels_and_pixels() -> None:
    x = torch.zeros(2, 3, 4, 4)
    x_hat = x.clone()
    x_hat[0, 0] = 0.5  # 16 of 96 values are off by 1/2
    assert reconstruction.mse(x, x_hat) == pytest.approx(16 * 0.25 / 96)
    assert reconstruction.mse(torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 1.0]])) == 0.5


@pytest.mark.parametrize(("mse", "expected"), [(1.0, 0), (0.1, 10), (0.001, 30), (0.0, None)])
def test_psnr_in_decibels(mse: float, expected: float | None) -> None:
    value = reconstruction.psnr(mse)
    assert value is None if expected is None else value == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(3, 1, 8, 8), (3, 3, 32, 32), (3, 1, 28, 28), (3, 1, 6, 9)])
def test_ssim_of_a_copy_is_one_and_of_noise_is_less(shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    assert reconstruction.ssim(x, x) == pytest.approx(1)
    value = reconstruction.ssim(x, noise)
    assert value is not None
    assert value < 0.5


def test_ssim_takes_one_as_the_range_whatever_the_data_spans() -> None:
    # Flat pictures of a and b: (2ab + .0001) / (a^2 + b^2 + .0001).
    x, x_hat = torch.full((2, 1, 12, 12), 0.01), torch.full((2, 1, 12, 12), 0.02)
    assert reconstruction.ssim(x, x_hat) == pytest.approx(0.0005 / 0.0006, abs=1e-4)


def test_ssim_does_not_depend_on_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(7, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    whole = reconstruction.ssim(x, x**2)
    monkeypatch.setattr(reconstruction, "BATCH_VALUES", 3 * 64)  # batches of 3, 3 and 1
    assert reconstruction.ssim(x, x**2) == pytest.approx(whole)


@pytest.mark.parametrize("shape", [(5, 64), (5, 1, 5, 28)])
def test_ssim_is_none_for_tables_and_tiny_pictures(shape: tuple[int, ...]) -> None:
    assert reconstruction.ssim(torch.zeros(shape), torch.zeros(shape)) is None


def test_ssim_agrees_with_its_formula() -> None:
    generator = np.random.default_rng(0)
    a = generator.random((2, 1, 28, 28))
    b = np.clip(a + 0.1 * generator.standard_normal(a.shape), 0, 1)

    def smooth(x: np.ndarray) -> np.ndarray:  # an 11 x 11 window
        return gaussian_filter(x, 1.5, truncate=3.5, mode="mirror", axes=(2, 3))

    mean_a, mean_b = smooth(a), smooth(b)
    var_a, var_b = smooth(a**2) - mean_a**2, smooth(b**2) - mean_b**2
    covariance = smooth(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    structure = (2 * covariance + 0.03**2) / (var_a + var_b + 0.03**2)
    value = reconstruction.ssim(torch.from_numpy(a).float(), torch.from_numpy(b).float())
    assert value == pytest.approx((luminance * structure).mean(), abs=1e-5)
