"""Brings the rows of a stage up to date.

Current ones stay, known ones come back, others are computed on the engine, and what is no row any
more goes.

A row that fails leaves all others to finish; the stage then fails with its sentence, and the next
run computes that row alone.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from narrows import engine, tracking
from narrows.config import plugins
from narrows.config.messages import cut, plural
from narrows.config.params import Params
from narrows.config.sections import SAMPLES
from narrows.engine import ONE_CORE, Files, Outcome, Slot
from narrows.errors import UserError, is_users, lacks_memory, print_traceback, say, sentence
from narrows.rendering import progress
from narrows.store import features, finished, outputs, rows
from narrows.store.rows import Attempt, Row

FITTING = ("mlflow", "sklearn.cluster", "sklearn.mixture")
"""What every worker imports that fits clusterers, and so is imported once for all of them."""
TRAINING = (
    *("torch", "mlflow", "pytorch_lightning", "torchmetrics"),
    "omegaconf",  # Lightning's first checkpoint imports it where it is there
    *("matplotlib.figure", "matplotlib.backends.backend_agg"),
)
"""What every worker imports that trains."""
REFINING = (*TRAINING, "sklearn.cluster", "sklearn.mixture")
"""What every worker imports that trains and clusters."""
EVALUATING = ("torch", "torchmetrics", "sklearn.decomposition", "sklearn.neighbors", "umap")
"""What every worker imports that evaluates."""


class Failure(NamedTuple):
    """A row that failed."""

    name: str
    """Its name."""
    why: str
    """A sentence."""


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
        """A row's MLflow run; one that logs nothing where the rows of this setting are none."""
        if not self.is_logged:
            yield tracking.Run()
            return
        with tracking.start_run(name, identity, data, tags, resumes) as run:
            yield run

    @property
    def artifacts(self) -> Path:
        """What stages leave of this data set."""
        return Path("artifacts", self.dataset)

    def data_files(self, input: str = SAMPLES) -> tuple[Path, ...]:
        """Samples and splits, as every stage that learns reads them; with the key of a row of
        `pretrained` its features beside them."""
        return features.data_files(self.dataset, input)


def setting_of(p: Params) -> Setting:
    """The setting of the rows' own seed."""
    return Setting(p.dataset.name, p.seed, p.device)


def plugin_modules(*parts: Any) -> tuple[str, ...]:
    """Modules of all plug-ins, at any depth, that these parts of params.yaml name."""
    selected = (plugin for part in parts for plugin in plugins.selected(part))
    return tuple(sorted({plugin.module_name for plugin in selected}))


def slot_on(device: str) -> Slot:
    """What a row occupies that trains on this device: on the CPU a core, elsewhere a whole GPU, so
    that no two rows share one by chance.

    With another engine than `processes` the machine that trains is not this one, so only
    `device: cuda` takes a GPU.
    """
    from narrows.engine.processes import visible_gpus

    on_mac = platform.system() == "Darwin" and platform.machine() == "arm64"
    if device == "mps" or (device == "auto" and on_mac):
        return Slot(cores=os.cpu_count())  # the one GPU of the machine
    here = engine.name() == engine.HERE
    on_gpu = device == "cuda" or (device == "auto" and here and bool(visible_gpus()))
    return Slot(gpus=1.0) if on_gpu else ONE_CORE


def refresh(
    stage: str,
    home: Path,
    members: Sequence[Row],
    slot: Slot = ONE_CORE,
    preload: Sequence[str] = FITTING,
    is_here: bool = False,
) -> None:
    """Brings these rows up to date, and deletes every other folder below `home`.

    Args:
        stage: its name, for messages.
        home: the folder that the rows' folders lie in; rows.json is written there.
        preload: libraries that all of its rows import.
        is_here: whether they are computed on this machine, whatever NARROWS_ENGINE says: they read
            files of the user's, which are nowhere else.

    Raises:
        UserError: a row failed, another process computes these rows, or a file is missing.
    """
    with outputs.hold(home):
        rows.keep_only(home, members)
        try:
            failures: dict[Path, Failure] = {}
            for wave in _waves(members):
                failures |= _bring(stage, wave, slot, preload, failures, is_here)
            _raise(failures)
        finally:
            rows.keep_only(home, members)
            rows.write_index(home, members)


def refresh_single(stage: str, row: Row, preload: Sequence[str] = FITTING) -> None:
    """The same for a stage that is one row."""
    with outputs.hold(row.folder):
        rows.sweep(row.folder)
        try:
            _raise(_bring(stage, [row], ONE_CORE, preload, {}))
        finally:
            rows.sweep(row.folder)


def _waves(members: Sequence[Row]) -> list[list[Row]]:
    """Rows, and after them those that read files of theirs."""
    folders = {row.folder for row in members}
    waves: tuple[list[Row], list[Row]] = [], []
    for row in members:
        waves[any(file.parent in folders for file in row.reads)].append(row)
    return [wave for wave in waves if wave]


def _raise(failures: Mapping[Path, Failure]) -> None:
    """Ends a stage of which rows have failed, when all others have ended.

    Raises:
        UserError: a line for each, or for all that failed for the same reason.
    """
    names: dict[str, list[str]] = {}
    for name, why in failures.values():
        names.setdefault(why, []).append(name)
    if names:
        lines = [why if n[0] in why else f"{', '.join(n)}: {why}" for why, n in names.items()]
        raise UserError("\n".join(lines))


def _bring(
    stage: str,
    members: Sequence[Row],
    slot: Slot,
    preload: Sequence[str],
    failed: Mapping[Path, Failure],
    is_here: bool = False,
) -> dict[Path, Failure]:
    """Computes the rows that are neither current nor known; not those that read files of a row that
    has failed.

    Returns:
        Why rows failed, by their folders.
    """
    waiting = {row.folder: _lacking(row, failed) for row in members}
    failures = {folder: failure for folder, failure in waiting.items() if failure}
    members = [row for row in members if row.folder not in failures]
    fingerprints = {row.name: row.fingerprint() for row in members}
    stale = [row for row in members if not rows.is_current(row, fingerprints[row.name])]
    missing = [row for row in stale if not rows.restore(row, fingerprints[row.name])]
    if stale:
        known = f", {len(stale) - len(missing)} known from before" if stale != missing else ""
        say(f"{stage}: {len(missing)} of {plural(len(members), 'row')} to compute{known}")
    attempts = [rows.attempt(row, fingerprints[row.name]) for row in missing]
    n_done = 0
    outcomes = engine.each(compute, attempts, slot, _files, preload, is_here=is_here)
    with progress.watch(stage):
        for outcome in progress.counted("rows", outcomes, len(attempts)):
            attempt = outcome.row
            if outcome.error is None:
                tracking.replay(outcome.value or [])
                rows.finish(attempt, fingerprints[attempt.row.name])
                n_done += 1
                say(f"{stage}: {attempt.row.name} done, {n_done} of {len(missing)}")
            else:
                failures[attempt.row.folder] = _failure(outcome)
    if attempts:
        finished.bound()
        rows.drop_stale()
    return failures


def _lacking(row: Row, failed: Mapping[Path, Failure]) -> Failure | None:
    """Says that a row has to wait for one that has failed; None if there is none."""
    missing = next((file.parent for file in row.reads if file.parent in failed), None)
    return Failure(row.name, f"waits for {missing.name}, which has failed") if missing else None


def compute(attempt: Attempt) -> list[Any]:
    """Computes a row where the engine has put it; returns what has to be logged elsewhere."""
    with progress.watch(attempt.row.name), tracking.record() as recordings:
        attempt.row.call(attempt)
    return recordings


def _files(attempt: Attempt) -> Files:
    return Files(attempt.row.reads, attempt.folder)


def _failure(outcome: Outcome[Attempt, Any]) -> Failure:
    """Why a row failed; the traceback of what is no user's mistake goes to stderr."""
    error, row = outcome.error, outcome.row.row
    assert error is not None
    if isinstance(error, KeyboardInterrupt | SystemExit):
        raise error
    if lacks_memory(error):
        why = f"needs more memory than is free here ({cut(str(error))}); take fewer units, "
        return Failure(row.name, why + "directions or samples of a batch")
    if not is_users(error) or os.environ.get("NARROWS_DEBUG"):
        print_traceback(error)
    return Failure(row.name, sentence(error, row.folder.parent))
