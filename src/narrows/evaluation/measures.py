"""What is measured of an encoder without a label, on the test split: numbers and maps."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from narrows.clustering.neighbours import distinct, finite
from narrows.clustering.umap import Map, fit_map
from narrows.config.plugins import Plugin
from narrows.errors import UserError
from narrows.models import jacobian, reconstruction
from narrows.models.autoencoder import Autoencoder, corrupt, decode_all, encode_all
from narrows.models.devices import device_named

JACOBIAN_SAMPLES = 100
"""Samples whose Jacobians are computed, at most."""
JACOBIAN_VALUES = 2**25
"""Values of Jacobians in memory at once: samples x code units x input values."""
ACTIVE_VARIANCE = 0.01
"""Variance of a code unit's mean above which the unit is active: Burda et al. 2016
(arXiv:1509.00519), section 5.2."""
UMAP_ROWS = 10
"""Distinct codes that a UMAP needs; fewer have no neighbourhoods."""
PLANE = Map(n_components=2, n_neighbors=15, min_dist=0.1, n_epochs=200)
"""UMAP's own settings for pictures, with as many epochs as it takes for large data."""


@dataclass(frozen=True)
class Coder:
    """A baseline or an autoencoder, by what it does to samples (N, ...) in [0, 1]."""

    encode: Callable[[Tensor], Tensor]
    """Maps samples (N, ...) to codes (N, D)."""
    decode: Callable[[Tensor], Tensor]
    """Maps codes (N, D) to reconstructions (N, ...)."""
    model: Autoencoder | None = None
    """The autoencoder; None for a baseline."""

    def reconstruct(self, x: Tensor) -> Tensor:
        """Reconstructions (N, ...) of samples x (N, ...)."""
        return self.decode(self.encode(x))


def of_model(model: Autoencoder, device: str | None = None) -> Coder:
    """The `Coder` of an autoencoder, which takes its samples in batches.

    Args:
        device: where the model is moved to and computes: auto, cpu, cuda or mps; None leaves it
            where it is. Samples and results are on the CPU.
    """
    if device is not None:
        model.to(device_named(device))
    return Coder(
        lambda x: torch.from_numpy(encode_all(model, x)), lambda z: decode_all(model, z), model
    )


def code_scores(z: Float[np.ndarray, "N D"]) -> dict[str, float]:
    """How sparse codes are: mean value, share of exact zeros, units at work.

    Example:
        Two codes of three units, the last of which never moves:

        >>> scores = code_scores(np.array([[0.0, 2.0, 1.0], [3.0, 0.0, 1.0]]))
        >>> scores["zeros_fraction"], scores["active_units"], scores["dead_units"]
        (0.3333333333333333, 2.0, 1)
    """
    return {
        "mean": float(z.mean()),
        "zeros_fraction": float((z == 0).mean()),
        "active_units": float((z != 0).sum(1).mean()),
        "dead_units": int((z.max(0) == z.min(0)).sum()),
    }


def jacobian_norm(model: Autoencoder, x: Tensor) -> float:
    """Mean Frobenius norm of the encoder's Jacobian, over at most 100 of the samples x (N, ...).

    The whole Jacobian, not an estimate: how far a code moves when the sample moves a little.
    """
    x = x[:: math.ceil(len(x) / JACOBIAN_SAMPLES)]
    size = max(1, JACOBIAN_VALUES // (model.cfg.code_size * x[0].numel()))
    with torch.inference_mode():
        squared = [
            jacobian.frobenius_squared(model.encode, batch.to(model.device), None).cpu()
            for batch in x.split(size)
        ]
    return torch.cat(squared).sqrt().mean().item()


def robustness(
    coder: Coder, x: Tensor, corruptions: Mapping[str, Plugin], seed: int
) -> dict[str, dict[str, float | None]]:
    """PSNR in dB against the clean samples, of the corrupted ones and of their reconstructions.

    Every encoder meets the same noise. None where the PSNR is infinite.
    """
    psnrs = {}
    for key, corruption in corruptions.items():
        noisy = corrupted(corruption, x, seed)
        errors = (reconstruction.mse(x, other) for other in (noisy, coder.reconstruct(noisy)))
        psnr_in, psnr_out = map(reconstruction.psnr, errors)
        psnrs[key] = {"psnr_in": psnr_in, "psnr_out": psnr_out}
    return psnrs


def applicable(corruptions: Mapping[str, Plugin], x: Tensor) -> dict[str, Plugin]:
    """The corruptions that suit samples like x (N, ...): a table has no place for a bar."""
    suitable = {}
    for key, corruption in corruptions.items():
        with contextlib.suppress(UserError):
            corrupted(corruption, x[:1], seed=0)
            suitable[key] = corruption
    return suitable


def corrupted(corruption: Plugin, x: Tensor, seed: int) -> Tensor:
    """Clean samples (N, ...) under the corruption, from a generator of their own."""
    return corrupt(corruption, x, torch.Generator().manual_seed(seed))


@torch.inference_mode()
def variational(model: Autoencoder, x: Tensor, n_draws: int, seed: int) -> dict[str, Any] | None:
    """The bound on log p of the samples x (N, ...) and its parts, in nats; None for other kinds.

    "elbo" takes KL with weight 1, whatever the row trained with. "nll" is -log p from above.
    """
    kind = model.variational
    if kind is None:
        return None
    torch.manual_seed(seed)
    batches = [batch.to(model.device) for batch in x.split(500)]
    by_batch = [kind.terms(model.cfg, model.parts, batch) for batch in batches]
    terms = {name: torch.cat([part[name] for part in by_batch]).cpu() for name in by_batch[0]}
    units = terms["kl"].mean(0)
    likelihood = terms["reconstruction"].mean().item()
    nll = torch.cat([kind.nll(model.cfg, model.parts, batch, n_draws) for batch in batches]).cpu()
    return {
        "elbo": likelihood - units.sum().item(),
        "reconstruction": likelihood,
        "kl": units.sum().item(),
        "kl_per_unit": units.tolist(),
        "active_units": int((terms["mean"].var(0) > ACTIVE_VARIANCE).sum()),
        "nll": nll.mean().item(),
    }


def scores(
    coder: Coder, x: Tensor, corruptions: Mapping[str, Plugin], nll_draws: int, seed: int
) -> dict[str, Any]:
    """All that scores.json says of an encoder, from the test samples x (N, ...) in [0, 1]."""
    code: dict[str, float | None] = {**code_scores(coder.encode(x).numpy()), "jacobian_norm": None}
    bound = None
    if coder.model is not None:
        code["jacobian_norm"] = jacobian_norm(coder.model, x)
        bound = variational(coder.model, x, nll_draws, seed)
    return {
        "code": code,
        "robustness": robustness(coder, x, corruptions, seed),
        "variational": bound,
    }


def maps(codes: Float[np.ndarray, "N D"], n_rows: int, seed: int) -> dict[str, np.ndarray]:
    """Two planes of the same codes: PCA, and UMAP (McInnes et al. 2018, arXiv:1802.03426).

    Returns:
        "rows" (n,), drawn of all N and ascending, "pca" and "umap" (n, 2). A code of one unit
        lies on a line; fewer than ten distinct codes have no UMAP and keep PCA's plane.
    """
    from sklearn.decomposition import PCA

    n = min(len(codes), n_rows)
    rows = np.sort(np.random.default_rng(seed).choice(len(codes), n, replace=False))
    z = finite(np.asarray(codes[rows]))
    pca = np.zeros((len(rows), 2))
    if np.ptp(z, axis=0).any():  # dead codes are one point
        n_axes = min(2, *z.shape)
        pca[:, :n_axes] = PCA(n_axes, random_state=seed).fit_transform(z)
    umap = fit_map(PLANE, z, seed)[1] if len(distinct(z)[0]) >= UMAP_ROWS else pca
    return {"rows": rows, "pca": pca.astype(np.float32), "umap": umap.astype(np.float32)}
