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
from typing import Any

from narrows import engine, tracking
from narrows.config import plugins
from narrows.config.messages import cut, plural
from narrows.config.params import Params
from narrows.config.sections import SAMPLES
from narrows.engine import ONE_CORE, Files, Outcome, Slot
from narrows.errors import UserError, is_users, lacks_memory, print_traceback, say, sentence
from narrows.rendering import progress
from narrows.stages.upcoming import Failure, Upcoming
from narrows.store import features, finished, outputs, rows
from narrows.store.rows import Attempt, Row

LOGGING = ("mlflow", "narrows.tracking.preloading")
"""What every worker imports whose rows are runs."""
FITTING = (*LOGGING, "sklearn.cluster", "sklearn.mixture")
"""What every worker imports that fits clusterers, and so is imported once for all of them."""
TRAINING = (
    *(*LOGGING, "torch", "pytorch_lightning", "torchmetrics"),
    "omegaconf",  # Lightning's first checkpoint imports it where it is there
    *("matplotlib.figure", "matplotlib.backends.backend_agg"),
)
"""What every worker imports that trains."""
REFINING = (*TRAINING, "sklearn.cluster", "sklearn.mixture")
"""What every worker imports that trains and clusters."""
EVALUATING = ("torch", "torchmetrics", "sklearn.decomposition", "sklearn.neighbors", "umap")
"""What every worker imports that evaluates."""


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


def n_slots_here(slot: Slot) -> int:
    """How many rows run at once on this machine; 1 where they run on an engine that may have more
    than one."""
    from narrows.engine.processes import n_slots, visible_gpus

    if engine.name() != engine.HERE:
        return 1
    return n_slots(slot, len(visible_gpus()) if slot.gpus else 0)


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
    refresh_all(stage, {home: members}, slot, preload, is_here)


def refresh_all(
    stage: str,
    homes: Mapping[Path, Sequence[Row]],
    slot: Slot = ONE_CORE,
    preload: Sequence[str] = FITTING,
    is_here: bool = False,
) -> None:
    """The same for rows of several homes, each of which begins when what it reads is there."""
    with contextlib.ExitStack() as held:
        for home, members in homes.items():
            held.enter_context(outputs.hold(home))
            rows.keep_only(home, members)
        try:
            every = [row for members in homes.values() for row in members]
            _raise(_bring(stage, every, slot, preload, is_here))
        finally:
            for home, members in homes.items():
                rows.keep_only(home, members)
                rows.write_index(home, members)


def refresh_single(stage: str, row: Row, preload: Sequence[str] = FITTING) -> None:
    """The same for a stage that is one row."""
    with outputs.hold(row.folder):
        rows.sweep(row.folder)
        try:
            _raise(_bring(stage, [row], ONE_CORE, preload))
        finally:
            rows.sweep(row.folder)


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
    is_here: bool = False,
) -> dict[Path, Failure]:
    """Computes the rows that are neither current nor known.

    Returns:
        Why rows failed, by their folders.
    """
    upcoming, n_done = Upcoming(members), 0
    n_missing = upcoming.n_left
    if n_missing or upcoming.n_known:
        known = f", {upcoming.n_known} known from before" if upcoming.n_known else ""
        say(f"{stage}: {n_missing} of {plural(len(members), 'row')} to compute{known}")
    outcomes = engine.each(compute, upcoming, slot, _files, preload, is_here=is_here)
    with progress.watch(stage):
        for outcome in progress.counted("rows", _of_rows(stage, outcomes), n_missing):
            attempt = outcome.row
            if outcome.error is None:
                tracking.replay(outcome.value or [])
                upcoming.end(attempt)
                n_done += 1
                say(f"{stage}: {attempt.row.name} done, {n_done} of {n_missing}")
            else:
                upcoming.end(attempt, _failure(outcome))
    if n_missing:
        finished.bound()
        rows.drop_stale()
    return upcoming.failures


def _of_rows(
    stage: str, outcomes: Iterator[Outcome[Attempt, Any]]
) -> Iterator[Outcome[Attempt, Any]]:
    """Outcomes of rows themselves. What their helpers could not do is left to them, and told of
    where they could do it."""
    done, lost = set(), []
    for outcome in outcomes:
        if not outcome.row.helps:
            done |= {outcome.row.row.name} if outcome.error is None else set()
            yield outcome
        elif outcome.error is not None:
            lost.append(_failure(outcome))
    for name, why in lost:
        if name in done:
            say(f"{stage}: a helper of {name} has failed, which took longer without it: {why}")


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
