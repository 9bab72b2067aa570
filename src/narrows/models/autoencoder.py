"""A row of `autoencoders:` as a torch module; how it encodes is said by the row's kind."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from narrows.config.plugins import Plugin
from narrows.data.on_disk import Samples
from narrows.data.unit import to_unit
from narrows.errors import UserError

EVALUATION_BATCH, EVALUATION_VALUES = 4096, 4096 * 28 * 28  # whichever is reached first


class Autoencoder(nn.Module):
    """The trainable parts of one row and the verbs of its kind, over batches in [0, 1]."""

    def __init__(self, row: Plugin, input_shape: tuple[int, ...]):
        super().__init__()
        self.row, self.kind, self.cfg = row, row.module, row.config
        self.parts = nn.ModuleDict(self.kind.build(self.cfg, input_shape))
        fit = EVALUATION_VALUES // math.prod(input_shape)
        self.batch_size = min(EVALUATION_BATCH, max(1, fit))
        """Samples that are encoded and decoded at once where nothing is learned."""

    def encode(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B D"]:
        """The code, deterministic."""
        z: Tensor = self.kind.encode(self.cfg, self.parts, x)
        return z

    def decode(self, z: Float[Tensor, "B D"]) -> Float[Tensor, "B ..."]:
        x_hat: Tensor = self.kind.decode(self.cfg, self.parts, z)
        return x_hat

    def loss(
        self, noisy: Float[Tensor, "B ..."], clean: Float[Tensor, "B ..."]
    ) -> dict[str, Float[Tensor, ""]]:
        """What is minimised, a mean over the batch, as "loss"; if a sum, its terms by name too."""
        z, terms = self.kind.loss(self.cfg, self.parts, noisy, clean)
        penalty = self.cfg.penalty
        if penalty.name != "none":
            terms["penalty"] = penalty.module.penalty(penalty.config, z, noisy, self.encode)
        if len(terms) == 1:
            return {"loss": next(iter(terms.values()))}
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}

    forward = loss  # what `torch.func.functional_call` calls


def restored(row: Plugin, input_shape: tuple[int, ...], weights: dict[str, Tensor]) -> Autoencoder:
    """The trained autoencoder of a row, for codes and reconstructions."""
    model = Autoencoder(row, input_shape)
    model.load_state_dict(weights)
    return model.eval()


def corrupt(corruption: Plugin, clean: Tensor, generator: torch.Generator) -> Tensor:
    """A corrupted copy of samples (B, ...) in [0, 1].

    Raises:
        UserError: The corruption is one of pictures, and these are none.
    """
    if clean.dim() != 4 and getattr(corruption.config, "pictures_only", False):
        raise UserError(
            f"corruption: {corruption.name} needs pictures here, "
            f"found samples of shape {tuple(clean.shape[1:])}"
        )
    noisy: Tensor = corruption.module.corrupt(corruption.config, clean, generator)
    return noisy


@torch.inference_mode()
def encode_all(model: Autoencoder, x: Samples) -> Float[np.ndarray, "N D"]:
    """Codes of all samples x (N, ...), in batches on the device where the model lives."""
    device = next(model.parameters()).device  # samples on disk come as batches on the CPU
    # one array from the start: small ones between large batches would leave holes in the heap
    codes, start = np.empty((len(x), model.cfg.code_size), np.float32), 0
    for batch in x.split(model.batch_size):
        codes[start : start + len(batch)] = model.encode(to_unit(batch.to(device))).cpu()
        start += len(batch)
    return codes


@torch.inference_mode()
def decode_all(model: Autoencoder, z: Tensor) -> Float[Tensor, "N ..."]:
    """Reconstructions from all codes z (N, D), in batches on the device where z lives."""
    return torch.cat([model.decode(batch) for batch in z.split(model.batch_size)])


@torch.inference_mode()
def reconstruct_all(model: Autoencoder, x: Tensor) -> Float[Tensor, "N ..."]:
    """Reconstructions of all samples x (N, ...), in batches on the device where x lives."""
    batches = x.split(model.batch_size)
    return torch.cat([model.decode(model.encode(to_unit(batch))) for batch in batches])
