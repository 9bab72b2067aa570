"""Points in space near a bent sheet: three features, of which two numbers tell nearly all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, NonNegativeFloat, NonNegativeInt

from narrows.config.plugins import config
from narrows.data.datasets._base import Dataset
from narrows.store.reading import existing

FILE = "points.csv"


@config
class Config:
    """How many points, and how noisy."""

    n_points: Annotated[int, Field(ge=10)] = 500
    """Number of points."""
    noise: NonNegativeFloat = 0.02
    """Standard deviation of the distance from the sheet, whose sides are about 1."""
    seed: NonNegativeInt = 0
    """Seed of the points themselves."""


def fetch(cfg: Config, raw_dir: Path) -> None:
    """Draws the points, each an angle on an arc of 3/4 pi and a place across it."""
    generator = np.random.default_rng(cfg.seed)
    angle = generator.uniform(0, 0.75 * np.pi, cfg.n_points)
    across = generator.uniform(0, 1, cfg.n_points)
    sheet = np.column_stack([np.cos(angle), across, np.sin(angle) + 0.5 * across])
    noisy = sheet + cfg.noise * generator.standard_normal(sheet.shape)
    raw_dir.mkdir(parents=True, exist_ok=True)
    np.savetxt(raw_dir / FILE, noisy, "%.6f", ",", header="x,y,z", comments="")


def load(cfg: Config, raw_dir: Path) -> Dataset:
    """Points float32 (n_points, 3), moved and scaled into the unit cube, their shape kept."""
    file = existing(raw_dir / FILE)
    points = np.loadtxt(file, dtype=np.float32, delimiter=",", skiprows=1)
    low = points.min(axis=0)
    x = (points - low) / (points - low).max()
    return Dataset(x.astype(np.float32), labels=None, is_test=None)
