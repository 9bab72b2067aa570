"""Searches whose study has a better trial by now than the one that was taken.

Stage `fetch` looks, which runs each time, and leaves what it saw beside the sections of `tune`, so
that `tune` runs where there is something to take. A file of studies that is as it was at the last
look is not opened again: that takes a second.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from narrows.config.params import Params
from narrows.errors import UserError
from narrows.store import choices, outputs, project
from narrows.store.choices import Winner
from narrows.store.files import atomic_write

LOOKED = outputs.WORK / "studies.json"


def better_trials(p: Params) -> dict[str, int]:
    """Number of the best trial by key of a search, for every search whose winner was another one
    when that trial came."""
    winners = _winners(p)
    before, state = _last_look(), _state()
    previous = {key: int(n) for key, n in before.get("better", {}).items() if key in winners}
    if winners and (state is None or state != before.get("state")):
        from narrows.search import best

        for key, winner in winners.items():
            number = best.better_trial(winner.study, winner.number)
            if number is not None:
                previous[key] = number
            elif previous.get(key) != winner.number:  # it was not taken for being better
                previous.pop(key, None)
        outputs.WORK.mkdir(exist_ok=True)
        with atomic_write(LOOKED) as partial:
            partial.write_text(json.dumps({"state": state, "better": previous}), encoding="utf-8")
    return previous


def _winners(p: Params) -> dict[str, Winner]:
    """What was taken, by key; a search without a winner that can be read is left to `tune`."""
    artifacts = Path("artifacts", p.dataset.name)
    winners = {}
    for key in p.searches:
        try:
            winners[key] = choices.read_winner(choices.winner_folder(artifacts, key))
        except UserError:
            continue
    return winners


def _state() -> list[list[int]] | None:
    """Size and time of the project's own file of studies and of what waits to be written into it;
    None where the studies are elsewhere."""
    if os.environ.get("NARROWS_STUDIES"):
        return None
    file = project.root() / project.STUDIES
    parts = (file, file.with_name(f"{file.name}-wal"))
    return [[s.st_size, s.st_mtime_ns] for s in (part.stat() for part in parts if part.exists())]


def _last_look() -> dict[str, Any]:
    try:
        return dict(json.loads(LOOKED.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
