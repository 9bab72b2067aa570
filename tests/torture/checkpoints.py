"""Damaged checkpoints: a training goes on from them or begins anew, and ends as it always does."""

from __future__ import annotations

import contextlib
import functools
import io
import random
import shutil
import tempfile
from pathlib import Path

import torch

from helpers import trainings
from narrows.errors import UserError
from narrows.training.fitting import Fitted
from torture._base import Campaign, Lost
from torture.artifacts import damage

N_EPOCHS, N_ATTEMPTS = 3, 10


@functools.cache
def interrupted() -> Path:
    """What a training of one epoch leaves, made once."""
    folder = Path(tempfile.mkdtemp())
    with contextlib.suppress(trainings.Killed):
        trainings.fit(trainings.training_row(epochs=N_EPOCHS), folder, kill_after=2)
    return folder


@functools.cache
def weights() -> Path:
    """What PyTorch loads and what is no checkpoint, made once."""
    file = Path(tempfile.mkdtemp(), "weights.ckpt")
    torch.save(undisturbed().model.state_dict(), file)
    return file


@functools.cache
def undisturbed() -> Fitted:
    """The training without an interruption."""
    with tempfile.TemporaryDirectory() as folder:
        return trainings.fit(trainings.training_row(epochs=N_EPOCHS), Path(folder))


def damaged(draw: random.Random, work: Path) -> None:
    """One damaged checkpoint, from which a training goes on; begun again after a sentence."""
    shutil.copytree(interrupted(), work)
    how = damage(work / "last.ckpt", draw, [weights()])
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            fitted = trainings.fit(trainings.training_row(epochs=N_EPOCHS), work)
        except UserError:
            fitted = trainings.fit(trainings.training_row(epochs=N_EPOCHS), work)
        except Exception as error:
            raise Lost(f"last.ckpt ({how}): {type(error).__name__}: {error}") from error
    if not trainings.same(fitted, undisturbed()):
        raise Lost(f"last.ckpt ({how}): other weights than without an interruption")
    if Path("EXECUTED").exists():
        raise Lost(f"code of last.ckpt ({how}) ran")


def attempt(draw: random.Random, folder: Path) -> int:
    """Ten damaged checkpoints."""
    for i in range(N_ATTEMPTS):
        damaged(draw, folder / str(i))
    return N_ATTEMPTS


CAMPAIGN = Campaign("damaged checkpoints", attempt, n_sample=1)
