"""Stage tune: makes sure of the trials of every search -> artifacts/<dataset>/searches/<key>.

A study that has got a better trial since its winner was taken gives another winner.
"""

from __future__ import annotations

from typing import Any

from narrows.config import params, plugins, search_space
from narrows.config.params import Params
from narrows.config.plugins import resolved
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
    if not all(rows.is_current(row, fingerprint) for row, fingerprint in pairs):
        from narrows.search import database

        database.share_url()
    runner.refresh("tune", home, members, runner.slot_on(p.device), (*runner.TRAINING, "optuna"))


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
    call = Call("narrows.stages.winner", "find", (p, key))
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
