"""An encoder in Python: `fit`, and what it returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from narrows.api import rows
from narrows.api.data import Data, load_data, stored
from narrows.api.rows import Words
from narrows.clustering import saved
from narrows.clustering.saved import Decode, Encode
from narrows.config.plugins import Plugin
from narrows.data import blocks
from narrows.data.on_disk import Samples
from narrows.data.scaling import Scaling
from narrows.data.unit import WHITE, to_unit
from narrows.errors import UserError
from narrows.models import encoders
from narrows.models.autoencoder import Autoencoder, cpu_weights, encode_all, restored
from narrows.models.devices import device_named
from narrows.rendering import progress

if TYPE_CHECKING:
    from narrows.training.early_stopping import OnEpoch


@dataclass(frozen=True, eq=False, repr=False)
class Fitted:
    """A trained autoencoder, or a baseline like PCA: samples to codes and back.

    Arrays that its methods take are in the units and the layout of the samples that it was fitted
    on; those that they return are, too. It can be pickled.
    """

    row: Plugin
    """What was fitted, every key of it."""
    input_shape: tuple[int, ...]
    """Shape of one sample as stored: (C, H, W) or (D,)."""
    dtype: str
    """"uint8" for pictures, "float32" for all else."""
    scaling: Scaling | None
    """How samples come to [0, 1]; None where they are stored as they are."""
    learned: Mapping[str, Any]
    """Weights by name, tensors on the CPU; of a baseline arrays."""
    device: str = "cpu"
    """Where it computes: cpu, cuda or mps."""
    history: Sequence[Mapping[str, int | float]] = ()
    """One record an epoch: epoch, lr, "train/loss", "val/loss" and their terms; pandas.DataFrame
    takes it. Empty for a baseline, and for one that was opened see history.csv."""
    best_epoch: int = 0
    """Epoch of the lowest validation loss, whose weights these are, from 1 on; 0 for a baseline."""
    seconds: float = 0.0
    """Wall time of the training."""

    def __repr__(self) -> str:
        epochs = "" if self.is_baseline else f", {len(self.history)} epochs"
        return f"Fitted({self.row.name} of samples {self.input_shape}{epochs})"

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @property
    def is_baseline(self) -> bool:
        """Whether it was fitted without training."""
        return self.row.family == "baselines"

    @cached_property
    def model(self) -> Autoencoder:
        """The torch module, in eval mode; raises `UserError` for a baseline, which has none."""
        if self.is_baseline:
            raise UserError(f"{self.row.name} is a baseline and has no torch module")
        return restored(self.row, self.input_shape, dict(self.learned)).to(
            device_named(self.device)
        )

    @cached_property
    def verbs(self) -> tuple[Encode, Decode]:
        """Its two ways, between samples as stored, codes, and samples in [0, 1]."""
        if self.is_baseline:
            return saved.baseline_verbs(self.row, self.learned, self.input_shape)
        return saved.model_verbs(self.model)

    def encode(self, x: Data | np.ndarray | Any) -> np.ndarray:
        """Codes (N, D), float32, of samples (N, ...) or of all samples of a `Data`.

        Raises:
            UserError: samples of another shape, not finite, or of another scale.
        """
        samples = self.samples(x)
        if not self.is_baseline:
            return encode_all(self.model, samples)
        batches = samples.split(blocks.n_together(self.input_shape))
        return np.concatenate([self.verbs[0](batch) for batch in batches])

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Samples (N, ...) from codes z (N, D), in the units of those that it was fitted on: 0 to
        255 for pictures in uint8."""
        return self.in_own_units(self.verbs[1](np.asarray(z, np.float32)))

    def reconstruct(self, x: Data | np.ndarray | Any) -> np.ndarray:
        """What is left of samples (N, ...) after their code; raises as `encode` does."""
        return self.decode(self.encode(x))

    def errors(self, x: Data | np.ndarray | Any) -> np.ndarray:
        """Mean squared error (N,) of each sample's reconstruction, per value of the scaled sample,
        so 1 is from one end of the scale to the other; raises as `encode` does."""
        encode, decode = self.verbs
        parts = []
        for batch in self.samples(x).split(blocks.n_together(self.input_shape)):
            difference = decode(encode(batch)) - to_unit(batch).numpy()
            parts.append(np.square(difference).reshape(len(batch), -1).mean(axis=1))
        return np.concatenate(parts)

    def samples(self, x: Data | np.ndarray | Any) -> Samples:
        """Samples (N, ...) as its model takes them, uint8 or float32."""
        if not isinstance(x, Data):
            array = stored(x, self.input_shape, self.dtype, self.scaling)
            return torch.from_numpy(np.require(array, requirements=["C", "W"]))  # as torch takes it
        if x.x.shape[1:] != self.input_shape:
            raise UserError(f"samples are of shape {self.input_shape}, found {x.x.shape[1:]}")
        same = x.scaling is None if self.scaling is None else self.scaling.equals(x.scaling)
        if not same or str(x.x.dtype) != self.dtype:
            raise UserError(
                "the data are of another scale than those that the encoder was fitted on; hand "
                "over the array itself, which is scaled as those were"
            )
        return x.samples()

    def in_own_units(self, unit: np.ndarray) -> np.ndarray:
        """Samples (N, ...) in [0, 1] in the units of those that it was fitted on."""
        if self.scaling is not None:
            return self.scaling.from_unit(unit)
        return unit * WHITE if self.dtype == "uint8" else unit


@progress.watch("fit")
def fit(
    row: Plugin | Words,
    data: Data | np.ndarray | Any,
    *,
    seed: int = 0,
    device: str = "auto",
    epochs: int | None = None,
    on_epoch: OnEpoch | None = None,
) -> Fitted:
    """Trains an autoencoder on the train split, and takes the epoch that is best on validation.

    Args:
        row: of `load_params().autoencoders` or `.baselines`; or a mapping of the keys that differ
            from a plain autoencoder, like {"network": "conv", "code_size": 10}; or "pca".
        data: of `load_data`, or an array that it takes.
        seed: of weights, batches and noise; the same seed gives the same result on a CPU.
        device: auto, cpu, cuda or mps; auto takes an accelerator where there is one.
        epochs: at most; those of the row if not given.
        on_epoch: called after every epoch as on_epoch(epoch, metrics, model), with "train/loss",
            "val/loss" and "lr" in metrics; once before the first, as epoch 0, without any.

    Returns:
        The encoder. The global random state of Python, numpy and torch is as before.

    Raises:
        UserError: a key that is not known or out of range, a loss that is no longer finite, a
            device that is not there.
    """
    chosen, samples = rows.encoder_row(row), data if isinstance(data, Data) else load_data(data)
    if chosen.family == "baselines":
        state = encoders.baseline_state(chosen, samples, seed)
        return _fitted(chosen, samples, state)
    from narrows.training import fitting
    from narrows.training.lightning import guest

    device_named(device)  # refuses one that is not there before anything is read
    chosen = rows.with_epochs(chosen, epochs)
    train, val = samples.samples("train"), samples.samples("val")
    on_epoch = on_epoch or fitting.quiet
    with guest():
        done = fitting.fit(chosen, train, val, seed=seed, device=device, on_epoch=on_epoch)
    fitted = _fitted(chosen, samples, cpu_weights(done.model))
    return dataclasses.replace(
        fitted,
        device=done.model.device.type,
        history=tuple(done.history),
        best_epoch=done.best_epoch,
        seconds=done.seconds,
    )


def _fitted(row: Plugin, data: Data, learned: Mapping[str, Any]) -> Fitted:
    return Fitted(row, tuple(data.x.shape[1:]), str(data.x.dtype), data.scaling, learned)
