"""A row of `autoencoders:` as a torch module; the row's kind says how it encodes."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from narrows.config.plugins import Plugin
from narrows.data.on_disk import Samples
from narrows.data.unit import to_unit
from narrows.errors import UserError
from narrows.models.autoencoders import _base
from narrows.models.autoencoders._base import Kind, Variational
from narrows.models.corruptions._base import Corruption
from narrows.models.penalties._base import Penalty

EVALUATION_BATCH, EVALUATION_VALUES = 4096, 4096 * 28 * 28  # whichever is reached first


class Autoencoder(nn.Module):
    """The trainable parts of one row and the verbs of its kind, over batches in [0, 1]."""

    def __init__(self, row: Plugin, input_shape: tuple[int, ...]):
        super().__init__()
        self.row, self.cfg = row, row.config
        self.kind: Kind = row.module
        self.parts = nn.ModuleDict(self.kind.build(self.cfg, input_shape))
        fit = EVALUATION_VALUES // math.prod(input_shape)
        self.batch_size = min(EVALUATION_BATCH, max(1, fit))
        """Number of samples that are encoded and decoded at once where nothing is learned."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def variational(self) -> Variational | None:
        """The kind, if its code is the mean of a distribution; None for the others."""
        return _base.variational(self.kind)

    def encode(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B D"]:
        """The code, deterministic."""
        return self.kind.encode(self.cfg, self.parts, x)

    def decode(self, z: Float[Tensor, "B D"]) -> Float[Tensor, "B ..."]:
        """Reconstructions of the samples with these codes."""
        return self.kind.decode(self.cfg, self.parts, z)

    def loss(
        self, noisy: Float[Tensor, "B ..."], clean: Float[Tensor, "B ..."]
    ) -> dict[str, Float[Tensor, ""]]:
        """The minimised mean over the batch, as "loss", and if it is a sum its terms by name."""
        z, terms = self.kind.loss(self.cfg, self.parts, noisy, clean)
        penalty: Penalty = self.cfg.penalty.module
        added = penalty.penalty(self.cfg.penalty.config, z, noisy, self.encode)
        if added is not None:
            terms["penalty"] = added
        if len(terms) == 1:
            return {"loss": next(iter(terms.values()))}
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}

    forward = loss  # what `torch.func.functional_call` calls


def restored(row: Plugin, input_shape: tuple[int, ...], weights: dict[str, Tensor]) -> Autoencoder:
    """The trained autoencoder of a row, for codes and reconstructions, on the CPU."""
    model = Autoencoder(row, input_shape)
    model.load_state_dict(weights)
    return model.eval()


def corrupt(corruption: Plugin, clean: Tensor, generator: torch.Generator) -> Tensor:
    """A corrupted copy of samples (B, ...) in [0, 1].

    Raises:
        UserError: The corruption is one of pictures, and these are none.
    """
    if clean.dim() != 4 and corruption.config.pictures_only:
        raise UserError(
            f"corruption: {corruption.name} needs pictures here, "
            f"found samples of shape {tuple(clean.shape[1:])}"
        )
    verbs: Corruption = corruption.module
    return verbs.corrupt(corruption.config, clean, generator)


@torch.inference_mode()
def encode_all(model: Autoencoder, x: Samples) -> Float[np.ndarray, "N D"]:
    """Codes of all samples x (N, ...) as stored, computed in batches on the model's device."""
    # one array from the start: small ones between large batches would leave holes in the heap
    codes, start = np.empty((len(x), model.cfg.code_size), np.float32), 0
    for batch in x.split(model.batch_size):
        codes[start : start + len(batch)] = model.encode(to_unit(batch.to(model.device))).cpu()
        start += len(batch)
    return codes


@torch.inference_mode()
def decode_all(model: Autoencoder, z: Tensor) -> Float[Tensor, "N ..."]:
    """Reconstructions from all codes z (N, D), computed in batches on the model's device; they are
    on the CPU."""
    batches = z.split(model.batch_size)
    return torch.cat([model.decode(batch.to(model.device)).cpu() for batch in batches])


@torch.inference_mode()
def reconstruct_all(model: Autoencoder, x: Tensor) -> Float[Tensor, "N ..."]:
    """Reconstructions of all samples x (N, ...) as stored, computed in batches on the model's
    device; they are on the CPU."""
    batches = (to_unit(batch.to(model.device)) for batch in x.split(model.batch_size))
    return torch.cat([model.decode(model.encode(batch)).cpu() for batch in batches])


def cpu_weights(model: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers by name, copied to the CPU where they are elsewhere: what is saved."""
    return {name: weight.cpu() for name, weight in model.state_dict().items()}
