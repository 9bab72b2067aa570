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
"""Units of the first layer whose weights are shown."""
N_SAMPLES = 64
"""Samples that a variational autoencoder generates."""
N_UNITS = 10
"""Code units that a traversal walks along."""
N_STEPS = 9
"""Pictures of an interpolation or of a walk."""
N_CORRUPTED = 8
"""Samples that are shown under every corruption."""
REACH = 3.0
"""Standard deviations of the prior that a walk goes to either side."""


def draw_pictures(
    coder: Coder, view: Tensor, corruptions: Mapping[str, Plugin], seed: int
) -> dict[str, np.ndarray]:
    """The arrays of pictures.npz: what there is to show of an encoder.

    Args:
        view: the samples (n, ...) in [0, 1] that are shown of the dataset.

    Returns:
        interpolations (n // 2, steps, ...) of two samples or more; corrupted and restored
        (corruptions, 8, ...); of an autoencoder of pictures filters (units, C, H, W); of a
        variational one samples (n, ...) and traversal (units, steps, ...).
    """
    noisy = [corrupted(corruption, view[:N_CORRUPTED], seed) for corruption in corruptions.values()]
    pictures = {"interpolations": interpolate(coder, view)} if len(view) > 1 else {}
    if noisy:
        pictures["corrupted"] = torch.stack(noisy)
        pictures["restored"] = torch.stack([coder.reconstruct(batch) for batch in noisy])
    if coder.model is not None:
        filters = first_filters(coder.model, tuple(view.shape[1:]))
        if filters is not None:
            pictures["filters"] = filters
        if coder.model.variational is not None:
            pictures |= generate(coder, view, seed)
    return {name: values.numpy().clip(0, 1) for name, values in pictures.items()}


def interpolate(coder: Coder, view: Tensor) -> Float[Tensor, "n steps ..."]:
    """Decoded codes on the straight line between the codes of two samples, for each of n pairs."""
    n = len(view) // 2
    first, last = coder.encode(view[:n]), coder.encode(view[n : 2 * n])
    steps = torch.linspace(0, 1, N_STEPS)[None, :, None]
    between = first[:, None] + steps * (last - first)[:, None]
    return coder.decode(between.flatten(0, 1)).unflatten(0, (n, N_STEPS))


@torch.inference_mode()
def generate(coder: Coder, view: Tensor, seed: int) -> dict[str, Tensor]:
    """Decoded draws from the prior N(0, 1), and walks along one code unit at a time.

    A walk starts from the code of the view's first sample and goes from -3 to 3; the units are
    those with the largest KL over the view, the largest first.
    """
    model = coder.model
    assert model is not None
    assert model.variational is not None
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(N_SAMPLES, model.cfg.code_size, generator=generator)
    terms = model.variational.terms(model.cfg, model.parts, view.to(model.device))
    terms = {name: values.cpu() for name, values in terms.items()}
    units = terms["kl"].mean(0).argsort(descending=True)[:N_UNITS]
    walk = terms["mean"][:1].repeat(len(units) * N_STEPS, 1).unflatten(0, (len(units), N_STEPS))
    for row, unit in enumerate(units.tolist()):
        walk[row, :, unit] = torch.linspace(-REACH, REACH, N_STEPS)
    return {
        "samples": coder.decode(z),
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
