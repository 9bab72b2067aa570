"""The networks of the documents, and the losses, by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.plugins import build, row
from narrows.config import params
from narrows.errors import UserError
from narrows.models import autoencoder, losses
from narrows.models.autoencoder import Autoencoder
from narrows.models.devices import device_named

ROWS = params.load(Path(__file__).parent / "experiment.yaml").autoencoders


@pytest.mark.parametrize(
    ("key", "n_parameters"),
    [
        ("shallow", 2 * 784 * 32 + 32 + 784),
        ("undercomplete", 2 * (784 * 128 + 128 * 32) + 128 + 32 + 128 + 784),
        ("deep", 3_330_794),  # the documents' own count
    ],
)
def test_rows_of_the_documents_have_their_weights(key: str, n_parameters: int) -> None:
    model = Autoencoder(ROWS[key], (1, 28, 28))
    assert sum(weight.numel() for weight in model.parameters()) == n_parameters


def test_codes_and_outputs_pass_the_row_s_activations() -> None:
    x = torch.rand(200, 1, 28, 28)
    shallow, deep = (Autoencoder(ROWS[key], (1, 28, 28)) for key in ("shallow", "deep"))
    assert shallow.encode(x).min() == 0  # relu
    assert deep.encode(x).min() < 0  # linear
    assert 0 < shallow.decode(shallow.encode(x)).min() < shallow.decode(shallow.encode(x)).max() < 1
    assert deep.decode(deep.encode(x)).min() < 0


def test_bce_by_hand_and_finite_when_the_decoder_saturates() -> None:
    """-log sigmoid(2) = 0.126928, -log(1 - sigmoid(2)) = 2.126928; their mean is 1.126928."""
    assert losses.bce(torch.tensor([[2.0, 2.0]]), torch.tensor([[1.0, 0.0]])).item() == (
        pytest.approx(1.126928, abs=1e-6)
    )
    assert losses.bce(torch.tensor([[1000.0, -1000.0]]), torch.tensor([[0.0, 1.0]])).item() == 1000


@pytest.mark.parametrize("loss", [losses.bce, losses.mse])
def test_losses_are_means_over_features_not_sums(loss) -> None:
    raw, clean = torch.randn(6, 10), torch.rand(6, 10)
    wider = loss(raw.repeat(1, 7), clean.repeat(1, 7)).item()
    assert wider == pytest.approx(loss(raw, clean).item(), rel=1e-5)


def test_all_samples_are_encoded_in_order_in_batches_of_any_size(monkeypatch) -> None:
    x = (torch.rand(50, 1, 8, 8) * 255).to(torch.uint8)
    small = build(row(), (1, 8, 8))
    whole = autoencoder.encode_all(small, x), autoencoder.reconstruct_all(small, x)
    monkeypatch.setattr(small, "batch_size", 7)
    parts = autoencoder.encode_all(small, x), autoencoder.reconstruct_all(small, x)
    assert whole[0].shape == (50, 3)
    np.testing.assert_allclose(parts[0], whole[0], atol=1e-6)
    torch.testing.assert_close(parts[1], whole[1])
    single = small.encode(x[13:14].float() / 255).detach().numpy()
    np.testing.assert_allclose(whole[0][13:14], single, atol=1e-6)


def test_batches_that_come_from_elsewhere_move_to_the_model(monkeypatch) -> None:
    """As those of samples on disk do; weights on torch's device without memory stand for a GPU."""
    small, devices = build(row(), (1, 8, 8)).to("meta"), []

    def encode(batch: torch.Tensor) -> torch.Tensor:
        devices.append(batch.device.type)
        return torch.zeros(len(batch), 3)

    def decode(z: torch.Tensor) -> torch.Tensor:
        devices.append(z.device.type)
        return torch.zeros(len(z), 1, 8, 8)

    monkeypatch.setattr(small, "encode", encode)
    monkeypatch.setattr(small, "decode", decode)
    assert autoencoder.encode_all(small, torch.zeros(5, 1, 8, 8)).shape == (5, 3)
    assert autoencoder.decode_all(small, torch.zeros(5, 3)).shape == (5, 1, 8, 8)
    assert devices == ["meta", "meta"]
    autoencoder.reconstruct_all(small, torch.zeros(5, 1, 8, 8))
    assert devices[2] == "meta"


def test_a_device_by_its_name() -> None:
    assert device_named("cpu") == torch.device("cpu")
    there = torch.cuda.is_available() or torch.backends.mps.is_available()
    assert (device_named("auto").type == "cpu") == (not there)
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="device is cuda, which torch does not find"):
            device_named("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_model_on_a_gpu_answers_on_the_cpu() -> None:
    x = torch.rand(50, 1, 8, 8)
    small = build(row(), (1, 8, 8))
    z, x_hat = autoencoder.encode_all(small, x), autoencoder.reconstruct_all(small, x)
    small.to("cuda")
    np.testing.assert_allclose(autoencoder.encode_all(small, x), z, atol=1e-5)
    torch.testing.assert_close(autoencoder.reconstruct_all(small, x), x_hat, atol=1e-5, rtol=0)
    decoded = autoencoder.decode_all(small, torch.from_numpy(z))
    torch.testing.assert_close(decoded, x_hat, atol=1e-5, rtol=0)
    assert {w.device.type for w in autoencoder.cpu_weights(small).values()} == {"cpu"}
