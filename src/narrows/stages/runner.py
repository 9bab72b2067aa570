"""Brings the rows of a stage up to date.

Current ones stay, known ones come back, others are computed on the engine, and what is no row any
more goes.

A row that fails leaves all others to finish; the stage then fails with its sentence, and the next
run computes that row alone.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from narrows import engine, tracking
from narrows.config import plugins
from narrows.config.params import Params
from narrows.engine import ONE_CORE, Files, Outcome, Slot
from narrows.errors import UserError, say
from narrows.store import outputs, rows
from narrows.store.rows import Attempt, Row

LIBRARIES = ("torch", "mlflow", "matplotlib.figure", "matplotlib.backends.backend_agg")
"""What every worker imports; the stages that train or fit name more."""
TRAINING = (*LIBRARIES, "pytorch_lightning", "torchmetrics")
FITTING = (*LIBRARIES, "sklearn.cluster", "sklearn.mixture")
REFINING = (*TRAINING, "sklearn.cluster", "sklearn.mixture")
EVALUATING = ("torch", "torchmetrics", "sklearn.decomposition", "sklearn.neighbors", "umap")


@dataclass(frozen=True)
class Setting:
    """What all rows of a stage share."""

    dataset: str
    """Name of the data set."""
    seed: int
    device: str
    """auto, cpu, cuda or mps."""
    is_logged: bool = True
    """Whether a row is an MLflow run; rows of other seeds are none."""

    @contextlib.contextmanager
    def run(
        self,
        name: str,
        identity: str,
        data: tracking.RunData,
        tags: dict[str, str],
        resumes: bool = False,
    ) -> Iterator[tracking.Run]:
        """The MLflow run of a row; it logs nothing where the rows of this setting are no runs."""
        if not self.is_logged:
            yield tracking.Run()
            return
        with tracking.start_run(name, identity, data, tags, resumes) as run:
            yield run

    @property
    def artifacts(self) -> Path:
        """What stages leave of this data set."""
        return Path("artifacts", self.dataset)

    @property
    def data_files(self) -> tuple[Path, ...]:
        """Samples and splits, as every stage that learns reads them."""
        return tuple(Path("data", self.dataset, name) for name in ("x.npy", "split.npy"))


def setting_of(p: Params) -> Setting:
    """The setting of the rows' own seed."""
    return Setting(p.dataset.name, p.seed, p.device)


def plugin_modules(*parts: Any) -> tuple[str, ...]:
    """Modules of all plug-ins, at any depth, that these parts of params.yaml name."""
    selected = (plugin for part in parts for plugin in plugins.selected(part))
    return tuple(sorted({plugin.module_name for plugin in selected}))


def slot_on(device: str, n_devices: int = 1) -> Slot:
    """A core for a row on the CPU; elsewhere a GPU, so that no two rows share one by chance."""
    from narrows.engine.processes import visible_gpus

    on_gpu = device == "cuda" or (device == "auto" and bool(visible_gpus()))
    return Slot(gpus=float(n_devices)) if on_gpu else Slot()


def refresh(
    stage: str,
    home: Path,
    stage_rows: Sequence[Row],
    slot: Slot = ONE_CORE,
    preload: Sequence[str] = LIBRARIES,
) -> None:
    """Brings these rows up to date, and deletes every other folder below `home`.

    Args:
        stage: its name, for messages.
        home: the folder that the rows' folders lie in; rows.json is written there.
        preload: libraries that all of its rows import.

    Raises:
        UserError: a row failed, another process computes these rows, or a file is missing.
    """
    with outputs.hold(home):
        rows.keep_only(home, stage_rows)
        try:
            _bring(stage, stage_rows, slot, preload)
        finally:
            rows.keep_only(home, stage_rows)
            rows.write_index(home, stage_rows)


def refresh_single(stage: str, row: Row, preload: Sequence[str] = LIBRARIES) -> None:
    """The same for a stage that is one row."""
    with outputs.hold(row.folder):
        _bring(stage, [row], ONE_CORE, preload)


def _bring(stage: str, stage_rows: Sequence[Row], slot: Slot, preload: Sequence[str]) -> None:
    """Computes the rows that are neither current nor known.

    Raises:
        UserError: rows failed; a line for each, when all others have ended.
    """
    prints = {row.name: row.fingerprint() for row in stage_rows}
    stale = [row for row in stage_rows if not rows.is_current(row, prints[row.name])]
    missing = [row for row in stale if not rows.restore(row, prints[row.name])]
    if stale:
        known = f", {len(stale) - len(missing)} known from before" if stale != missing else ""
        say(f"{stage}: {len(missing)} of {len(stage_rows)} rows to compute{known}")
    attempts = [rows.attempt(row, prints[row.name]) for row in missing]
    failures: list[str] = []
    n_done = 0
    for outcome in engine.each(compute, attempts, slot, _files, preload):
        attempt = outcome.row
        if outcome.error is None:
            tracking.replay(outcome.value or [])
            rows.finish(attempt, prints[attempt.row.name])
            n_done += 1
            say(f"{stage}: {attempt.row.name} done, {n_done} of {len(missing)}")
        else:
            failures.append(_sentence(outcome))
    if failures:
        raise UserError("\n".join(failures))


def compute(attempt: Attempt) -> list[Any]:
    """Computes a row where the engine has put it; returns what has to be logged elsewhere."""
    with tracking.record() as recordings:
        attempt.row.call(attempt)
    return recordings


def _files(attempt: Attempt) -> Files:
    return Files(attempt.row.reads, attempt.folder)


def _sentence(outcome: Outcome[Attempt, Any]) -> str:
    """Why a row failed; the traceback of what is no user's mistake goes to stderr."""
    error, name = outcome.error, outcome.row.row.name
    if isinstance(error, KeyboardInterrupt | SystemExit):
        raise error
    if not isinstance(error, UserError) or os.environ.get("NARROWS_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    message = str(error) or type(error).__name__
    return message if name in message else f"{name}: {message}"
