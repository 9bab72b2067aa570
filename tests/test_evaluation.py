"""Measures without labels, by hand."""

import numpy as np
import pytest
import torch

from helpers.plugins import build, plugin, row
from narrows.evaluation import measures, pictures
from narrows.evaluation.measures import Coder
from narrows.models.autoencoder import Autoencoder


def identity(x: torch.Tensor) -> torch.Tensor:
    return x


def test_psnr_in_and_out_by_hand() -> None:
    """Grey 1/2 under salt and pepper everywhere is off by 1/2: 10 log10(4) = 6.02 dB; a decoder
    that answers 1/4 is off by 1/4: 12.04 dB; a copy has no PSNR."""
    x = torch.full((6, 1, 8, 8), 0.5)
    everywhere = plugin("corruptions", "salt_pepper").module.Config(fraction=1.0)
    noise = {
        "clean": plugin("corruptions", "none"),
        "noisy": measures.Plugin("corruptions", "salt_pepper", everywhere),
    }
    coder = Coder(identity, lambda z: torch.full_like(z, 0.25))
    result = measures.robustness(coder, x, noise, seed=0)
    assert result["noisy"]["psnr_in"] == pytest.approx(6.0206, abs=1e-3)
    assert result["noisy"]["psnr_out"] == pytest.approx(12.0412, abs=1e-3)
    assert result["clean"] == {"psnr_in": None, "psnr_out": pytest.approx(12.0412, abs=1e-3)}


def test_every_encoder_meets_the_same_noise() -> None:
    x, noise = torch.rand(6, 1, 8, 8), {"gaussian": plugin("corruptions", "gaussian")}
    first, second = (
        measures.robustness(Coder(identity, decode), x, noise, 0)["gaussian"]["psnr_in"]
        for decode in (identity, torch.zeros_like)
    )
    assert first == second


def test_corruptions_that_need_pictures_are_left_out_of_tables() -> None:
    noise = {name: plugin("corruptions", name) for name in ("none", "periodic", "gaussian")}
    assert list(measures.applicable(noise, torch.rand(3, 5))) == ["none", "gaussian"]
    assert list(measures.applicable(noise, torch.rand(3, 1, 8, 8))) == list(noise)


def test_the_jacobian_norm_of_a_linear_encoder_is_that_of_its_weights() -> None:
    model = build(row(), (5,))
    model.parts["encoder"] = torch.nn.Linear(5, 3)
    expected = model.parts["encoder"].weight.norm().item()
    assert measures.jacobian_norm(model, torch.rand(450, 5)) == pytest.approx(expected, rel=1e-5)


def test_maps_show_the_drawn_rows_and_keep_groups_apart() -> None:
    codes = np.repeat(np.eye(3) * 50, 40, axis=0) + np.random.default_rng(0).normal(size=(120, 3))
    maps = measures.maps(codes, 60, seed=0)
    assert maps["rows"].shape == (60,)
    assert (np.diff(maps["rows"]) > 0).all()
    group = maps["rows"] // 40
    for name in ("pca", "umap"):
        points = maps[name]
        centres = np.stack([points[group == g].mean(0) for g in range(3)])
        nearest = np.linalg.norm(points[:, None] - centres, axis=2).argmin(1)
        assert (nearest == group).all(), name


@pytest.mark.parametrize("codes", [np.zeros((50, 4)), np.arange(50.0)[:, None], np.eye(4)])
def test_maps_of_dead_codes_of_one_unit_and_of_few_rows(codes) -> None:
    maps = measures.maps(codes, 100, seed=0)
    assert maps["pca"].shape == maps["umap"].shape == (len(codes), 2)
    assert np.isfinite(maps["umap"]).all()


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 12), (5,)], ids=str)
@pytest.mark.parametrize("kind", ["plain", "variational"])
def test_pictures_of_every_shape(kind: str, shape: tuple[int, ...]) -> None:
    model: Autoencoder = build(row(kind), shape).eval()
    corruptions = {name: plugin("corruptions", name) for name in ("none", "gaussian")}
    view = torch.rand(16, *shape)
    result = pictures.draw_pictures(measures.of_model(model), view, corruptions, seed=0)
    names = {"interpolations", "corrupted", "restored"}
    names |= {"filters"} if len(shape) == 3 else set()
    names |= {"samples", "traversal"} if kind == "variational" else set()
    assert set(result) == names
    assert result["interpolations"].shape == (8, 9, *shape)
    assert result["restored"].shape == (2, 8, *shape)
    assert all(((values >= 0) & (values <= 1)).all() for values in result.values())
    if len(shape) == 3:
        assert result["filters"].shape == (7, *shape)
    if kind == "variational":
        assert result["traversal"].shape == (3, 9, *shape)


def test_interpolations_start_and_end_at_the_reconstructions() -> None:
    model = build(row(), (1, 8, 8)).eval()
    coder, view = measures.of_model(model), torch.rand(6, 1, 8, 8)
    result = pictures.interpolate(coder, view)
    ends = coder.reconstruct(view)
    assert torch.allclose(result[:, 0], ends[:3], atol=1e-6)
    assert torch.allclose(result[:, -1], ends[3:], atol=1e-6)
    assert "interpolations" not in pictures.draw_pictures(coder, view[:1], {}, seed=0)


def test_conv_filters_are_the_kernels() -> None:
    model = build(row(network=plugin("networks", "conv")), (3, 8, 8))
    result = pictures.first_filters(model, (3, 8, 8))
    assert result is not None
    assert result.shape == (4, 3, 3, 3)
