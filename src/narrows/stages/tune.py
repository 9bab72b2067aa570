"""Stage tune: makes sure of the trials of every search -> artifacts/<dataset>/searches/<key>.

A study that has got a better trial since its winner was taken gives another winner. Slots that are
free run trials of a search side by side, as far as these are the same as one after the other.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from narrows.config import params, plugins, search_space
from narrows.config.params import Params
from narrows.config.plugins import resolved
from narrows.config.sections import Search
from narrows.errors import say
from narrows.stages import runner
from narrows.store import choices, rows
from narrows.store.rows import Call, Row


def main() -> None:
    """Brings the winners of all searches up to date."""
    p = params.load()
    members = [row_of(p, key) for key in p.searches]
    home = runner.setting_of(p).artifacts / "searches"
    fingerprints = [row.fingerprint() for row in members]
    for row, fingerprint in zip(members, fingerprints, strict=True):
        if rows.is_current(row, fingerprint) and _is_beaten(row):
            say(f"tune: {row.name}: the study has a better trial by now")
            rows.forget(row, fingerprint)
    pairs = zip(members, fingerprints, strict=True)
    slot = runner.slot_on(p.device)
    if not all(rows.is_current(row, fingerprint) for row, fingerprint in pairs):
        from narrows.search import database

        database.share_url()
        n_slots = runner.n_slots_here(slot)
        members = [
            _with_helpers(row, search, n_slots)
            for row, search in zip(members, p.searches.values(), strict=True)
        ]
    runner.refresh("tune", home, members, slot, (*runner.TRAINING, "optuna"))


def _with_helpers(row: Row, search: Search, n_slots: int) -> Row:
    """The row of a search, with helpers for as many of its trials as may run at once. Workers on
    other machines have none: they do not see when it is whose turn."""
    from narrows.search import registry

    helper = replace(row.call, function="help_find")
    return replace(row, helpers=(helper,) * (min(n_slots, registry.n_at_once(search)) - 1))


def _is_beaten(row: Row) -> bool:
    """Whether another trial of the study is the best one by now."""
    from narrows.search import best

    winner = choices.read_winner(row.folder)
    return best.better_trial(winner.study, winner.number) is not None


def row_of(p: Params, key: str) -> Row:
    """A row of `searches:`."""
    setting, search = runner.setting_of(p), p.searches[key]
    row = p.autoencoders[search.row]
    settings = {
        "seed": p.seed,
        "device": p.device,
        "row": resolved(row),
        "space": str(search.space),
        "objectives": resolved(search.objectives),
        "n_trials": search.n_trials,
        "sampler": [search.sampler, search.n_startup_trials],
        "pruner": search.pruner,
        "seeds": list(search.seeds),
        "constraints": search.constraints,
    }
    place = choices.winner_folder(setting.artifacts, key)
    call = Call("narrows.stages.winner", "find", (p, key, uuid.uuid4().hex))
    modules = runner.plugin_modules(row, search, variants(p, key))
    return Row(
        f"searches.{key}", place, settings, setting.data_files(row.config.input), call, modules
    )


def variants(p: Params, key: str) -> tuple[Any, ...]:
    """Rows at the corners of the search's space: together they name every plug-in of a trial."""
    search = p.searches[key]
    row = plugins.resolved(p.autoencoders[search.row])
    corners = search_space.corners(search.space)
    return tuple(
        params.plugin("autoencoders", search_space.changed(row, corner)) for corner in corners
    )
