"""Stage encode: baselines, autoencoders and winners of searches -> artifacts/<dataset>/encoders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from narrows.config import params
from narrows.config.params import Params
from narrows.config.plugins import Plugin, resolved
from narrows.errors import UserError
from narrows.rendering import progress
from narrows.stages import runner
from narrows.stages.runner import Setting
from narrows.store import choices, encoders, outputs, rows
from narrows.store.rows import Call, Row


def main(*keys: str) -> None:
    """Brings all encoders up to date; with keys only these, in this process: that is how several
    processes, also of several machines, train one row together."""
    p = choices.with_winners(params.load())
    members = rows_of(p)
    by_key = {row.folder.name: row for row in members}
    home = runner.setting_of(p).artifacts / "encoders"
    for key in keys:
        compute_here(params.select(by_key, key, "baselines, autoencoders or searches"))
    if keys:
        return
    missing = [key for key in p.searches if key not in p.autoencoders]
    if missing:
        raise UserError(f"searches.{missing[0]} has no winner yet; run `dvc repro tune`")
    if p.devices * p.num_nodes > 1:
        train_together(p, members)
    slot = runner.slot_on(p.device)
    runner.refresh("encode", home, members, slot, runner.TRAINING)


def rows_of(p: Params) -> list[Row]:
    """All encoders of params.yaml, those of searches under the searches' keys."""
    setting = runner.setting_of(p)
    return [encoder_row(setting, p, key) for key in (*p.baselines, *p.autoencoders)]


def encoder_row(setting: Setting, p: Params, key: str) -> Row:
    """A row of baselines, of autoencoders or the winner of a search, under the setting's seed."""
    place = encoders.folder(setting.artifacts, key)
    if setting.seed != p.seed:
        place = encoders.seed_folder(setting.artifacts, setting.seed, key)
    if key in p.baselines:
        row = p.baselines[key]
        call = Call("narrows.stages.baseline", "fit", (setting, key, row))
        return _row(setting, f"baselines.{key}", place, row, call, {})
    row = p.autoencoders[key]
    machines = {"devices": 1, "num_nodes": 1}  # rows of other seeds run side by side
    if setting.seed == p.seed:
        machines = {"devices": p.devices, "num_nodes": p.num_nodes}
        if p.devices * p.num_nodes > 1:
            machines["same_noise"] = p.same_noise
    arguments = (setting, key, row, machines)
    call = Call("narrows.stages.train", "train", arguments)
    return _row(setting, f"autoencoders.{key}", place, row, call, machines)


def _row(
    setting: Setting, name: str, place: Path, row: Plugin, call: Call, more: dict[str, int]
) -> Row:
    settings = {"seed": setting.seed, "row": resolved(row)}
    if more:
        settings |= {"device": setting.device, **more}
    return Row(
        name,
        place,
        settings,
        setting.data_files(row.config.input),
        call,
        runner.plugin_modules(row),
    )


def train_together(p: Params, members: list[Row]) -> None:
    """Trains the autoencoders that are not current one after the other, each by all devices: a
    program of its own, which Lightning starts again for every device.

    With several machines `num_nodes` is more than what is here: docs/guides/machines.md says how
    the same program is started on all of them.

    Raises:
        UserError: a row failed; its program has said why.
    """
    trained = [row for row in members if row.folder.name in p.autoencoders]
    stale = [row for row in trained if not rows.is_current(row, row.fingerprint())]
    if stale and p.num_nodes > 1:
        raise UserError(
            f"num_nodes is {p.num_nodes}: start `python pipelines/encode.py <row>` on each of "
            "them, as docs/guides/machines.md says, for "
            f"{', '.join(row.folder.name for row in stale)}"
        )
    for row in stale:
        command = [sys.executable, os.path.abspath(sys.argv[0]), row.folder.name]
        if subprocess.run(command).returncode:
            raise UserError(f"{row.name}: its training has failed and said why above")


def compute_here(row: Row) -> None:
    """Computes one row in this process, which may be one of several that train it together."""
    from narrows.training.lightning import is_leading

    fingerprint = row.fingerprint()
    if not is_leading():
        row.call(rows.attempt(row, fingerprint, writes=False))
        return
    with outputs.hold(row.folder):
        attempt = rows.attempt(row, fingerprint)
        with progress.watch(row.name):
            row.call(attempt)
        rows.finish(attempt, fingerprint)
