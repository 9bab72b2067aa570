"""What the textbooks say of each autoencoder, measured on real MNIST with rows of params.yaml.

    python benchmarks/textbook.py [claim ...] [--seeds 0 1 2]

A claim prints one line per seed and fails the command if it does not hold. Rows are taken from
params.yaml and changed only where a line of this file says so. docs/benchmarks.md has the figures;
pictures of seed 0 go to docs/pictures.
"""

import argparse
import copy
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from narrows.config import inheritance, params, plugins, yaml_file
from narrows.config.plugins import Plugin
from narrows.data import splits
from narrows.data.unit import to_unit
from narrows.evaluation import measures
from narrows.evaluation.pictures import generate
from narrows.models import reconstruction
from narrows.rendering import figures, grids
from narrows.training import fitting

ROOT = Path(__file__).parent.parent
RAW = inheritance.written_out(yaml_file.read(ROOT / "params.yaml"))
FULL = {"train.batch_size": 256, "train.patience": None, "train.schedule": {"name": "cosine"}}
ADAM = {"name": "adam", "lr": 1e-3}


class Data(NamedTuple):
    train: Tensor
    val: Tensor
    test: Tensor
    """Floats in [0, 1]; the others as stored."""


class Claim(NamedTuple):
    holds: bool
    message: str


def pictures() -> Any:
    """MNIST as it comes: 60,000 training pictures, then 10,000 for testing."""
    module, raw = plugins.load("datasets", "mnist"), ROOT / "data/mnist/raw"
    module.fetch(module.Config(), raw)
    return module.load(module.Config(), raw)


def mnist(seed: int) -> Data:
    """52,500 train, 7,500 validation and the data's own 10,000 test pictures."""
    images = pictures()
    split = splits.assign(len(images.x), images.is_test, 0.2, 0.125, seed)
    train, val, test = (torch.from_numpy(images.x[split == i]) for i in range(3))
    return Data(train, val, to_unit(test))


def row(key: str, changes: dict[str, Any] | None = None) -> Plugin:
    """A row of params.yaml with the values at some dotted paths replaced."""
    raw = copy.deepcopy(RAW)
    for path, value in (changes or {}).items():
        *folders, last = path.split(".")
        node = raw["autoencoders"][key]
        for folder in folders:
            node = node[folder]
        node[last] = value
    return params.from_dict(raw).autoencoders[key]


def fit(chosen: Plugin, data: Data, seed: int) -> fitting.Fitted:
    return fitting.fit(chosen, data.train, data.val, seed=seed)


def linear(data: Data, seed: int) -> Claim:
    """Spans the subspace of PCA (Baldi & Hornik 1989): largest principal angle, and MSE."""
    from scipy.linalg import subspace_angles
    from sklearn.decomposition import PCA

    size = 10
    changes = {**FULL, "code_size": size, "train.epochs": 30}
    model = fit(row("linear", changes), data, seed).model
    pca = PCA(size, random_state=0).fit(to_unit(data.train).flatten(1).numpy())
    x = data.test.flatten(1).numpy()
    pca_mse = float(((pca.inverse_transform(pca.transform(x)) - x) ** 2).mean())
    mse = reconstruction.mse(data.test, measures.of_model(model).reconstruct(data.test))
    decoder = next(p for p in model.parts["decoder"].parameters() if p.ndim == 2)
    angle = np.degrees(subspace_angles(decoder.detach().numpy(), pca.components_.T)[0])
    message = f"largest angle {angle:.2f} degrees, MSE {mse:.5f}, PCA's {pca_mse:.5f}"
    return Claim(bool(angle < 5 and mse < 1.01 * pca_mse), message)


def sparse(data: Data, seed: int) -> Claim:
    """An L1 penalty leaves most code values at 0; the same row without it does not."""
    by_penalty = []
    for penalty in (RAW["autoencoders"]["sparse"]["penalty"], {"name": "none"}):
        rate = {"name": "adam", "lr": 2e-3}
        changes = {**FULL, "train.epochs": 20, "train.optimizer": rate, "penalty": penalty}
        coder = measures.of_model(fit(row("sparse", changes), data, seed).model)
        z = coder.encode(data.test)
        scores = measures.code_scores(z.numpy())
        by_penalty.append((scores["mean"], scores["zeros_fraction"], mse_of(coder, data.test)))
    (mean, zeros, mse), (plain_mean, plain_zeros, plain_mse) = by_penalty
    message = (
        f"mean code {plain_mean:.2f} -> {mean:.2f}, zeros {plain_zeros:.1%} -> {zeros:.1%}, "
        f"MSE {plain_mse:.4f} -> {mse:.4f}"
    )
    return Claim(plain_mean >= 8 * mean and zeros > 0.5, message)


def denoising(data: Data, seed: int) -> Claim:
    """Noise of deviation 0.5, code of 32: better than a plain row, a median filter and non-local
    means."""
    from scipy.ndimage import median_filter
    from skimage.restoration import denoise_nl_means

    corruption = row("denoising-conv").config.corruption
    noisy = measures.corrupted(corruption, data.test, seed)
    grey, settings = noisy[:, 0].numpy(), best_means(corruption, to_unit(data.train[:100]), seed)
    means = [denoise_nl_means(picture, **settings) for picture in grey]
    results = {"noisy": noisy}
    for key in ("denoising-conv", "conv"):
        coder = measures.of_model(fit(row(key, {**FULL, "train.epochs": 12}), data, seed).model)
        results[key] = coder.reconstruct(noisy)
    results["median filter"] = torch.from_numpy(median_filter(grey, size=(1, 3, 3)))[:, None]
    results["non-local means"] = torch.from_numpy(np.stack(means)).float()[:, None]
    psnr = {
        k: reconstruction.psnr(reconstruction.mse(data.test, v)) or 0 for k, v in results.items()
    }
    message = ", ".join(f"{name} {value:.1f} dB" for name, value in psnr.items())
    best = max(psnr, key=lambda name: psnr[name])
    return Claim(best == "denoising-conv" and psnr[best] >= 18.5, message)


def best_means(corruption: Plugin, x: Tensor, seed: int) -> dict[str, Any]:
    """Settings of non-local means with the least error on corrupted pictures (N, 1, H, W)."""
    from skimage.restoration import denoise_nl_means

    noisy = measures.corrupted(corruption, x, seed)[:, 0].numpy()

    def error(settings: dict[str, Any]) -> float:
        restored = np.stack([denoise_nl_means(picture, **settings) for picture in noisy])
        return float(((restored - x[:, 0].numpy()) ** 2).mean())

    tried = itertools.product((3, 5, 7), (5, 8, 11), (0.1, 0.2, 0.3, 0.4, 0.6))
    names = ("patch_size", "patch_distance", "h")
    return min((dict(zip(names, values, strict=True)) for values in tried), key=error)


def repair(data: Data, seed: int) -> Claim:
    """A dark cross-bar is removed: error of the pixels that it covers, and of those it does not."""
    chosen = row("repair", {**FULL, "train.epochs": 30})
    noisy = measures.corrupted(chosen.config.corruption, data.test, seed)
    covered = measures.corrupted(chosen.config.corruption, torch.ones_like(noisy), seed) == 0
    coder = measures.of_model(fit(chosen, data, seed).model)
    restored = coder.reconstruct(noisy)
    clean, barred, mended = (x[:16].numpy() for x in (data.test, noisy, restored))
    draw("repair", seed, figures.reconstructions(clean, barred, mended, columns=8))
    inside, outside = (
        [reconstruction.mse(data.test[where], x[where]) for x in (noisy, restored)]
        for where in (covered, ~covered)
    )
    message = (
        f"MSE of covered pixels {inside[0]:.4f} -> {inside[1]:.4f}, of the others {outside[1]:.4f}"
    )
    return Claim(inside[0] >= 4 * inside[1], message)


def contractive(data: Data, seed: int) -> Claim:
    """The penalty shrinks the encoder's Jacobian; the sigmoid coder is the same row without it."""
    pairs = []
    for key in ("contractive", "sigmoid-coder"):
        model = fit(row(key, {"train.epochs": 10}), data, seed).model
        norm = measures.jacobian_norm(model, data.test)
        pairs.append((norm, mse_of(measures.of_model(model), data.test)))
    (norm, mse), (plain_norm, plain_mse) = pairs
    message = f"Jacobian {plain_norm:.2f} -> {norm:.2f}, MSE {plain_mse:.4f} -> {mse:.4f}"
    return Claim(plain_norm >= 3 * norm, message)


def variational(data: Data, seed: int) -> Claim:
    """-ELBO of Bernoullis on grey values in [0, 1], code of 20."""
    changes = {
        **FULL,
        "train.optimizer": ADAM,
        "code_size": 20,
        "network.hidden": [500, 500],
        "train.epochs": 60,
    }
    model = fit(row("variational", changes), data, seed).model
    scores = measures.variational(model, data.test, n_draws=50, seed=seed)
    assert scores is not None
    images = generate(measures.of_model(model), data.test[:8], seed)
    draw("generated", seed, grids.grid(images["samples"].numpy()))
    message = (
        f"-ELBO {-scores['elbo']:.2f} nats, KL {scores['kl']:.2f}, NLL {scores['nll']:.2f}, "
        f"{scores['active_units']} of 20 units active"
    )
    return Claim(-scores["elbo"] <= 100 and scores["kl"] >= 0, message)


def binarised(data: Data, seed: int) -> Claim:
    """NLL of binarised MNIST, which the literature reports: pixels are drawn from their grey values
    (Salakhutdinov & Murray 2008). Ten draws of each picture stand for new ones in each epoch."""
    generator = torch.Generator().manual_seed(seed)

    def sample(x: Tensor) -> Tensor:
        grey = to_unit(x)
        return (torch.rand(grey.shape, generator=generator) < grey).to(torch.uint8) * 255

    train = torch.cat([sample(data.train) for _ in range(10)])
    binary = Data(train, sample(data.val), to_unit(sample(data.test)))
    changes = {
        **FULL,
        "train.optimizer": ADAM,
        "code_size": 50,
        "network.hidden": [500, 500],
        "train.epochs": 30,
    }
    model = fit(row("variational", changes), binary, seed).model
    scores = measures.variational(model, binary.test, n_draws=200, seed=seed)
    assert scores is not None
    message = f"NLL {scores['nll']:.2f} nats of 200 draws, -ELBO {-scores['elbo']:.2f}"
    return Claim(scores["nll"] <= 89.8, message)


def stacked(data: Data, seed: int) -> Claim:
    """Layer by layer and fine-tuned, against the same network at once for as many epochs."""
    stacked_row = row("stacked", {"train.patience": None, "train.epochs": 20, "layer_epochs": 10})
    n_epochs = stacked_row.config.train.epochs + stacked_row.config.layer_epochs * (
        len(stacked_row.config.network.config.hidden) + 1
    )
    keys = ("network", "code_size", "code_activation", "penalty")
    same = {key: RAW["autoencoders"]["stacked"][key] for key in keys}
    same |= {f"train.{k}": v for k, v in RAW["autoencoders"]["stacked"]["train"].items()}
    same |= {"train.epochs": n_epochs, "train.patience": None}
    rows = (stacked_row, row("undercomplete", same))
    little = data._replace(train=data.train[:3500], val=data.val[:500])  # as in the default data
    (stacked_few, at_once_few), (stacked_all, at_once_all) = (
        [min(epoch["val/loss"] for epoch in fit(chosen, some, seed).history) for chosen in rows]
        for some in (little, data)
    )
    message = (
        f"validation loss {stacked_few:.4f} stacked, {at_once_few:.4f} at once, {n_epochs} epochs "
        f"of 3,500 digits; of all {stacked_all:.4f} and {at_once_all:.4f}"
    )
    return Claim(stacked_few < at_once_few and stacked_all < at_once_all, message)


def draw(name: str, seed: int, picture: np.ndarray) -> None:
    if seed == 0:
        figures.save(picture, ROOT / f"docs/pictures/{name}.png", 32)


def mse_of(coder: measures.Coder, x: Tensor) -> float:
    return reconstruction.mse(x, coder.reconstruct(x))


CLAIMS: dict[str, Callable[[Data, int], Claim]] = {
    claim.__name__: claim
    for claim in (
        *(linear, sparse, denoising, repair, contractive),
        *(variational, binarised, stacked),
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures what the textbooks claim, on MNIST.")
    parser.add_argument("claims", nargs="*", metavar="claim", help=", ".join(CLAIMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    if unknown := set(options.claims) - set(CLAIMS):
        parser.error(f"{', '.join(sorted(unknown))}: no such claim; there are {', '.join(CLAIMS)}")
    failed = []
    for seed in options.seeds:
        data = mnist(seed)
        for name in options.claims or CLAIMS:
            claim = CLAIMS[name](data, seed)
            print(f"{'holds' if claim.holds else 'FAILS'}  {name}, seed {seed}: {claim.message}")
            sys.stdout.flush()
            failed += [] if claim.holds else [name]
    sys.exit(f"does not hold: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
