"""What is chosen on the way: the winner of a search, and the number of clusters."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from narrows.config import params
from narrows.config.messages import cut
from narrows.config.params import Params
from narrows.config.plugins import Plugin
from narrows.errors import UserError
from narrows.store.reading import read_json


@dataclass(frozen=True)
class Winner:
    """The best trial of a search, and all trials that it was chosen from."""

    study: str
    """Name of the study in its database."""
    number: int
    """Number of the best trial."""
    values: dict[str, float]
    """Its value by objective."""
    row: dict[str, Any]
    """The row of `autoencoders:` that it was, with every default."""
    objectives: Sequence[str]
    """Names of the objectives; the first one picks the winner."""
    front: Sequence[int]
    """Numbers of the trials that no other beats in all objectives."""
    trials: Sequence[dict[str, Any]]
    """trial, state, seconds, params and values of every trial."""


@dataclass(frozen=True)
class Recommendation:
    """How many clusters codes show, found without a label."""

    n_clusters: int
    """The number of the highest merit."""
    lowest: int
    """Least number of those around it that do about as well."""
    highest: int
    """Largest number of those around it that do about as well."""
    levels: tuple[int, ...]
    """Other numbers at which the merit has a peak: coarser or finer groups."""
    strength: float
    """How much clumpier than one cloud the codes are, at most 1; about 0 of a cloud."""
    is_clear: bool
    """Whether there are groups; without any, a number of clusters cuts through a cloud."""

    @property
    def findings(self) -> str:
        """What there is to know beside the number, to stand behind "10 clusters taken"."""
        if not self.is_clear:
            return (
                "no clear groups: the codes hardly differ from one cloud, which any number of "
                "clusters cuts through"
            )
        groups = [f"{k} {'coarse' if k < self.n_clusters else 'fine'} groups" for k in self.levels]
        around = f"{self.lowest} to {self.highest} do about as well"
        if self.lowest == self.highest:
            around = "no number near it does about as well"
        return "; also ".join([around, *([" or ".join(groups)] if groups else [])])


@dataclass(frozen=True)
class ChosenK:
    """Numbers of clusters that were compared, and the one that clusterings take."""

    curve: list[dict[str, Any]]
    """By k: n_clusters, modularity, silhouette, merit."""
    recommended: Recommendation | None
    """What is recommended; None where the codes show no clusters."""
    taken: int
    """The k that clusterings take."""

    @property
    def sentence(self) -> str:
        """The choice in one sentence, as terminal and page say it.

        >>> best = Recommendation(10, 9, 14, (4,), strength=0.4, is_clear=True)
        >>> ChosenK([], best, taken=10).sentence
        '10 clusters taken; 9 to 14 do about as well; also 4 coarse groups'
        >>> ChosenK([], best, taken=12).sentence
        '12 clusters taken, 10 recommended; 9 to 14 do about as well; also 4 coarse groups'
        """
        taken = f"{self.taken} clusters taken"
        if self.recommended is None:
            return f"{taken}; the codes show no clusters"
        if self.taken != self.recommended.n_clusters:
            taken += f", {self.recommended.n_clusters} recommended"
        return f"{taken}; {self.recommended.findings}"


def winner_folder(artifacts: Path, key: str) -> Path:
    """Where stage `tune` leaves a search."""
    return artifacts / "searches" / key


def winner_file(place: Path) -> Path:
    """The file that says which row has won, without the trials."""
    return place / "winner.json"


def write_winner(place: Path, winner: Winner) -> None:
    """Writes winner.json, and trials.json beside it."""
    chosen = {
        "study": winner.study,
        "trial": winner.number,
        "objectives": winner.values,
        "row": winner.row,
    }
    trials = {
        "study": winner.study,
        "objectives": list(winner.objectives),
        "front": list(winner.front),
        "winner": winner.number,
        "trials": list(winner.trials),
    }
    winner_file(place).write_text(json.dumps(chosen, indent=2) + "\n")
    (place / "trials.json").write_text(json.dumps(trials, indent=2) + "\n")


def read_winner(place: Path) -> Winner:
    """What `write_winner` left; raises `UserError` where a file is missing or damaged."""
    chosen: Mapping[str, Any] = read_json(winner_file(place))
    trials: Mapping[str, Any] = read_json(place / "trials.json")
    return Winner(
        study=chosen["study"],
        number=chosen["trial"],
        values=chosen["objectives"],
        row=chosen["row"],
        objectives=trials["objectives"],
        front=trials["front"],
        trials=trials["trials"],
    )


def with_winners(p: Params) -> Params:
    """The same with the winners of searches among the autoencoders, under the searches' keys.

    A search that has no winner yet adds no row.

    Raises:
        UserError: a winner's file is damaged, or its row has keys that are not known any more.
    """
    artifacts = Path("artifacts", p.dataset.name)
    winners = {key: _row(winner_file(winner_folder(artifacts, key))) for key in p.searches}
    rows = {key: row for key, row in winners.items() if row is not None}
    return dataclasses.replace(p, autoencoders={**p.autoencoders, **rows})


def _row(file: Path) -> Plugin | None:
    if not file.exists():
        return None
    try:
        return params.plugin("autoencoders", read_json(file)["row"])
    except (UserError, ValueError, LookupError, TypeError, RecursionError) as error:
        problem = f"{type(error).__name__}: {cut(' '.join(str(error).split()))}"
        raise UserError(f"{file} holds no row ({problem}); run `dvc repro tune`") from None


def k_folder(artifacts: Path) -> Path:
    """Where stage `choose_k` leaves its choice."""
    return artifacts / "choose_k"


def write_k(place: Path, chosen: ChosenK) -> None:
    """Writes curve.json, and n_clusters.json alone: clusterings run again when k changes and not
    when the curve does."""
    best = chosen.recommended
    curve = {
        "recommended": best and best.n_clusters,
        "range": best and [best.lowest, best.highest],
        "levels": list(best.levels) if best else [],
        "strength": best and best.strength,
        "clear": best is not None and best.is_clear,
        "curve": chosen.curve,
    }
    (place / "curve.json").write_text(json.dumps(curve, indent=2) + "\n")
    (place / "n_clusters.json").write_text(json.dumps({"n_clusters": chosen.taken}) + "\n")


def read_k(place: Path) -> ChosenK:
    """What `write_k` left; raises as `read_winner` does."""
    curve = read_json(place / "curve.json")
    best = None
    if curve["recommended"] is not None:
        lowest, highest = curve["range"]
        best = Recommendation(
            curve["recommended"],
            lowest,
            highest,
            levels=tuple(curve["levels"]),
            strength=curve["strength"],
            is_clear=curve["clear"],
        )
    return ChosenK(curve["curve"], best, read_n_clusters(place))


def read_n_clusters(place: Path) -> int:
    """The k that clusterings take; raises as `read_winner` does."""
    return int(read_json(place / "n_clusters.json")["n_clusters"])
