"""Pictures that show what an encoder has learned, as arrays in [0, 1] for `report` to draw."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from narrows.config.plugins import Plugin
from narrows.evaluation.measures import Coder, corrupted
from narrows.models.autoencoder import Autoencoder

N_FILTERS = 64
N_SAMPLES = 64
N_UNITS = 10
N_STEPS = 9
N_CORRUPTED = 8
REACH = 3.0  # deviations of the prior that a traversal goes to either side


def specimens(
    coder: Coder, shown: Tensor, corruptions: Mapping[str, Plugin], seed: int
) -> dict[str, np.ndarray]:
    """pictures.npz: what there is to show of this encoder.

    Args:
        shown: samples (n, ...) in [0, 1].

    Returns:
        interpolations (n // 2, steps, ...); corrupted and restored (corruptions, 8, ...); of an
        autoencoder filters (units, C, H, W); of a variational one samples (n, ...) and
        traversal (units, steps, ...).
    """
    noisy = [
        corrupted(corruption, shown[:N_CORRUPTED], seed) for corruption in corruptions.values()
    ]
    found = {"interpolations": interpolations(coder, shown)}
    if noisy:
        found["corrupted"] = torch.stack(noisy)
        found["restored"] = torch.stack([coder.reconstruct(batch) for batch in noisy])
    if coder.model is not None:
        filters = first_filters(coder.model, tuple(shown.shape[1:]))
        if filters is not None:
            found["filters"] = filters
        if coder.model.variational is not None:
            found |= generated(coder, shown, seed)
    return {name: values.numpy().clip(0, 1) for name, values in found.items()}


def interpolations(coder: Coder, shown: Tensor) -> Float[Tensor, "n steps ..."]:
    """Decoded codes on the straight line between the codes of two samples, per pair."""
    n = len(shown) // 2
    first, last = coder.encode(shown[:n]), coder.encode(shown[n : 2 * n])
    steps = torch.linspace(0, 1, N_STEPS)[None, :, None]
    between = first[:, None] + steps * (last - first)[:, None]
    return coder.decode(between.flatten(0, 1)).unflatten(0, (n, N_STEPS))


@torch.inference_mode()
def generated(coder: Coder, shown: Tensor, seed: int) -> dict[str, Tensor]:
    """Decoded draws from the prior N(0, 1), and walks along one code unit at a time.

    A walk starts from the first shown sample's code and goes from -3 to 3; the units are those
    with the largest KL over the shown samples, most first.
    """
    model = coder.model
    assert model is not None
    assert model.variational is not None
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(N_SAMPLES, model.cfg.code_size, generator=generator)
    terms = model.variational.terms(model.cfg, model.parts, shown.to(model.device))
    terms = {name: values.cpu() for name, values in terms.items()}
    units = terms["kl"].mean(0).argsort(descending=True)[:N_UNITS]
    walk = terms["mean"][:1].repeat(len(units) * N_STEPS, 1).unflatten(0, (len(units), N_STEPS))
    for row, unit in enumerate(units.tolist()):
        walk[row, :, unit] = torch.linspace(-REACH, REACH, N_STEPS)
    return {
        "samples": coder.decode(drawn),
        "traversal": coder.decode(walk.flatten(0, 1)).unflatten(0, (len(units), N_STEPS)),
    }


def first_filters(
    model: Autoencoder, shape: tuple[int, ...]
) -> Float[Tensor, "units channels height width"] | None:
    """Weights of the encoder's first layer, of its first 64 units, each scaled to [0, 1] with
    weight 0 at 1/2. None for a table, whose columns have no neighbours."""
    if len(shape) != 3:
        return None
    layers = (nn.Linear, nn.Conv2d)
    first = next(part for part in model.parts["encoder"].modules() if isinstance(part, layers))
    weights = first.weight.detach()[:N_FILTERS].cpu()
    weights = weights.reshape(len(weights), -1, *weights.shape[2:] or shape[1:])
    largest = weights.abs().flatten(1).amax(1).clamp(min=1e-12)[:, None, None, None]
    return 0.5 + 0.5 * weights / largest
